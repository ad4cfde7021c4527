// The letter of one of the two that are held against each other.
export function Badge({ side }: { side: 'a' | 'b' }) {
  return (
    <span className={`ab ab-${side}`} aria-hidden>
      {side.toUpperCase()}
    </span>
  );
}
