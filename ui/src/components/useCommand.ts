// Sends a command; what it changes is asked for anew.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { sendCommand } from '../api/commands';
import { keys, type Run } from '../api/queries';

export type CommandKind = Parameters<typeof sendCommand>[1];

export interface Wish {
  kind: CommandKind;
  arguments?: Record<string, unknown>;
}

export function useCommand(run: Pick<Run, 'id'>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (wish: Wish) => sendCommand(run.id, wish.kind, wish.arguments),
    onSettled: () => client.invalidateQueries({ queryKey: keys.run(run.id) }),
  });
}

export type SendCommand = ReturnType<typeof useCommand>;
