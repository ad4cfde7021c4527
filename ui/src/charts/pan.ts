// Moving along a zoomed chart: Shift and drag, or scrolling sideways. All panels of a key go along; the page hears of it at the end.
import uPlot from 'uplot';

/** What all panels of a key show while they are moved. */
const moved = new Map<string, [number, number]>();
const REST_MS = 180;

export const movedRange = (syncKey: string): [number, number] | null => moved.get(syncKey) ?? null;

/** The range moved by `by`, kept within what there are points of; null where nothing lies beyond it. */
export function moveRange(range: readonly [number, number], by: number, ends: readonly [number, number]): [number, number] | null {
  const [from, to] = range;
  const least = Math.min(ends[0], from);
  const most = Math.max(ends[1], to);
  const shift = Math.min(most - to, Math.max(least - from, by));
  return shift === 0 ? null : [from + shift, to + shift];
}

function endsOf(u: uPlot): [number, number] {
  const steps = u.data[0];
  return [Math.min(0, steps[0] ?? 0), steps.at(-1) ?? 0];
}

class Pan {
  private frame = 0;
  private next: [number, number] | null = null;

  constructor(
    private readonly syncKey: string,
    private readonly start: [number, number],
    private readonly ends: [number, number],
  ) {}

  /** `by` in units of x, from where it began. */
  to(by: number): void {
    const range = moveRange(this.start, by, this.ends) ?? this.start;
    this.next = range;
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  end(onZoom: (from: number, to: number) => void): void {
    cancelAnimationFrame(this.frame);
    const range = this.next;
    moved.delete(this.syncKey);
    for (const plot of uPlot.sync(this.syncKey).plots) plot.root.classList.remove('panning');
    if (range) onZoom(Math.max(0, Math.floor(range[0])), Math.ceil(range[1]));
  }

  private draw(): void {
    this.frame = 0;
    if (!this.next) return;
    const [min, max] = this.next;
    moved.set(this.syncKey, this.next);
    for (const plot of uPlot.sync(this.syncKey).plots) {
      plot.root.classList.add('panning');
      plot.setScale('x', { min, max });
    }
  }
}

/** Begins where the chart stands; null where it shows all there is. */
function begin(u: uPlot, syncKey: string): { pan: Pan; perPixel: number } | null {
  const { min, max } = u.scales['x'] ?? {};
  if (min === undefined || max === undefined || min === null || max === null) return null;
  const ends = endsOf(u);
  if (min <= ends[0] && max >= ends[1]) return null;
  return { pan: new Pan(syncKey, [min, max], ends), perPixel: (max - min) / Math.max(1, u.over.clientWidth) };
}

/** Takes over a press with Shift; says whether it did. */
export function dragWithShift(u: uPlot, syncKey: string, event: MouseEvent, onZoom: (from: number, to: number) => void): boolean {
  if (!event.shiftKey || event.button !== 0) return false;
  const begun = begin(u, syncKey);
  if (!begun) return true;
  const first = event.clientX;
  const move = (at: MouseEvent) => begun.pan.to((first - at.clientX) * begun.perPixel);
  const up = () => {
    document.removeEventListener('mousemove', move);
    begun.pan.end(onZoom);
  };
  document.addEventListener('mousemove', move);
  document.addEventListener('mouseup', up, { once: true });
  return true;
}

/** Scrolling sideways over the plot. */
export function listenToWheel(u: uPlot, syncKey: string, onZoom: (from: number, to: number) => void): void {
  let begun: ReturnType<typeof begin> = null;
  let pixels = 0;
  let rest = 0;
  u.over.addEventListener(
    'wheel',
    (event) => {
      const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      if (Math.abs(sideways) < Math.abs(event.shiftKey ? 0 : event.deltaY)) return;
      begun ??= begin(u, syncKey);
      if (!begun) return;
      event.preventDefault();
      pixels += sideways;
      begun.pan.to(pixels * begun.perPixel);
      window.clearTimeout(rest);
      rest = window.setTimeout(() => {
        begun?.pan.end(onZoom);
        begun = null;
        pixels = 0;
      }, REST_MS);
    },
    { passive: false },
  );
}
