// Rows that j and k walk: whatever carries `data-row`.
const rows = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>('[data-row]')];

/** Focus the next row, or the one before. */
export function moveFocus(by: number): void {
  const all = rows();
  const at = all.findIndex((row) => row === document.activeElement);
  all[Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
}

/** Id of the row that has the focus, or in which something has it. */
export function focusedRow(): string | null {
  const at = document.activeElement;
  return rows().find((row) => row === at || row.closest('tr')?.contains(at))?.dataset['row'] ?? null;
}
