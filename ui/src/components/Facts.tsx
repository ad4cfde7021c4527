// A row of figures with their names.
import type { ReactNode } from 'react';

export interface Fact {
  name: string;
  value: ReactNode;
  note?: ReactNode;
}

export function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl className="facts">
      {facts.map((fact) => (
        <div key={fact.name}>
          <dt>{fact.name}</dt>
          <dd>
            {fact.value}
            {fact.note !== undefined && <span> {fact.note}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
