// What a run that is being deleted is called until it is gone.
export const leavingRun = (id: string): string => `run ${id}`;
