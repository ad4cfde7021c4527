// A search field that `/` focuses and Escape clears.
import { useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useRef } from 'react';

export function SearchBox({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const input = useRef<HTMLInputElement>(null);
  useHotkeys([['/', () => input.current?.focus()]]);
  return (
    <div className="search">
      <IconSearch size={14} stroke={1.75} aria-hidden />
      <input
        ref={input}
        className="field-input"
        type="search"
        aria-label={label}
        placeholder={label}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          onChange('');
          input.current?.blur();
        }}
      />
      {!value && <kbd className="only-wide">/</kbd>}
    </div>
  );
}
