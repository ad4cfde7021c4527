// The presets as cards.
import { IconCheck } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { Preset } from '../../api/queries';
import { spellOut } from '../../figures/words';

export function PresetPicker({ presets, chosen }: { presets: Preset[]; chosen: string | undefined }) {
  return (
    <ul className="presets" aria-label="Presets">
      {presets.map((preset) => (
        <li key={preset.name}>
          <Link to="/launch" search={{ preset: preset.name }} replace className="preset" aria-current={preset.name === chosen ? 'true' : undefined}>
            <span className="row strong">
              {preset.name === chosen && <IconCheck size={14} stroke={2} aria-hidden />}
              <span className="clip">{preset.name}</span>
              <span className="tag push">{spellOut(preset.kind)}</span>
            </span>
            <span className="small muted preset-text">{preset.description}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
