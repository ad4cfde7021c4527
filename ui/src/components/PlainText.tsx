// Text of a document: always text, each line in its own direction, hidden characters by their names.
import { showHidden } from '../figures/visible';

export function PlainText({ text }: { text: string }) {
  return (
    <>
      {showHidden(text).map((part, i) =>
        part.hidden ? (
          <span key={i} className="hidden-char" title="A character without a shape">
            {part.text}
          </span>
        ) : (
          part.text
        ),
      )}
    </>
  );
}
