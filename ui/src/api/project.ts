// The project that the pages are about. It is kept in this browser and goes along with each call as a header.
const KEY = 'headrace-project';
export const PROJECT_HEADER = 'X-Headrace-Project';

/** Not about one project: who one is, and what the settings manage. */
const WIDE = /^\/api\/v1\/(auth|projects|users|tokens|audit|health)(\/|$)/;

/** The chosen project; null: all that one sees. */
export function chosenProject(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is off: then nothing is kept
  }
}

export function chooseProject(name: string | null): void {
  if (name === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, name);
}

/** The project to send with a call, where it is about one. */
export const projectFor = (path: string): string | null => (WIDE.test(path) ? null : chosenProject());
