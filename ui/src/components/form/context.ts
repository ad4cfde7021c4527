// What all fields of the spec's form need to know.
import type { FieldProblem } from '../../api/client';

export interface FormContext {
  changed: Set<string>;
  problems: FieldProblem[];
  /** The pointer that was asked for by "Show": sections on the way to it open. */
  focus: string | null;
}

export const pointerOf = (path: (string | number)[]): string => path.map((part) => `/${part}`).join('');

export const under = (pointer: string, parent: string): boolean => pointer === parent || pointer.startsWith(`${parent}/`);

/** The problems of exactly this field. */
export const problemsAt = (context: FormContext, pointer: string): FieldProblem[] => context.problems.filter((problem) => problem.pointer === pointer);
