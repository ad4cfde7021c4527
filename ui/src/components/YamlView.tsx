// YAML to read: line numbers, keys in the accent.
import './yaml.css';

export function YamlLine({ text }: { text: string }) {
  const match = /^(\s*(?:- )?)([^\s:#'"][^:]*|'[^']*'|"[^"]*"):(.*)$/.exec(text);
  if (!match) return <>{text}</>;
  return (
    <>
      {match[1]}
      <span className="yaml-key">{match[2]}</span>:{match[3]}
    </>
  );
}

export function YamlView({ text, label }: { text: string; label: string }) {
  const lines = text.replace(/\n$/, '').split('\n');
  return (
    <div className="yaml-view mono" role="region" aria-label={label} tabIndex={0}>
      {lines.map((line, i) => (
        <div key={i} className="yaml-line">
          <span className="yaml-number" aria-hidden>
            {i + 1}
          </span>
          <span className="yaml-text">
            <YamlLine text={line} />
          </span>
        </div>
      ))}
    </div>
  );
}
