// Parts of a page; the open one stands in the URL. Arrow keys move along the bar.
import { useEffect, useRef, type KeyboardEvent, type ReactNode } from 'react';

export interface TabItem<T extends string> {
  name: T;
  label: string;
  count?: ReactNode;
}

export function Tabs<T extends string>({ label, items, value, onChange }: { label: string; items: readonly TabItem<T>[]; value: T; onChange: (name: T) => void }) {
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // on a phone the open one may lie outside of the bar
    const [box, tab] = [bar.current, document.getElementById(`tab-${value}`)];
    if (box && tab) box.scrollLeft = Math.max(0, tab.offsetLeft + tab.offsetWidth - box.clientWidth + 24, Math.min(box.scrollLeft, tab.offsetLeft - 24));
  }, [value]);
  const move = (event: KeyboardEvent) => {
    const at = items.findIndex((item) => item.name === value);
    const to = event.key === 'ArrowRight' ? at + 1 : event.key === 'ArrowLeft' ? at - 1 : event.key === 'Home' ? 0 : event.key === 'End' ? items.length - 1 : null;
    const next = to === null ? undefined : items[(to + items.length) % items.length];
    if (!next) return;
    event.preventDefault();
    onChange(next.name);
    document.getElementById(`tab-${next.name}`)?.focus();
  };
  return (
    <div ref={bar} className="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {items.map((item) => (
        <button
          key={item.name}
          role="tab"
          id={`tab-${item.name}`}
          aria-selected={item.name === value}
          aria-controls="tab-panel"
          tabIndex={item.name === value ? 0 : -1}
          onClick={() => onChange(item.name)}
        >
          {item.label}
          {item.count !== undefined && <span className="count">{item.count}</span>}
        </button>
      ))}
    </div>
  );
}
