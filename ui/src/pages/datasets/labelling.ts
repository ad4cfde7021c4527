// Labels of this version: what is set, what was done in this sitting, and one step back at a time.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { labelsQuery, setLabel } from '../../api/curation';
import type { LabelStep } from '../../figures/labels';

export interface Labels {
  scores: ReadonlyMap<string, number>;
  /** Of this sitting. */
  steps: readonly LabelStep[];
  error: unknown;
  set: (documentId: string, score: number) => void;
  /** Takes the last step back; the document that it was about. */
  undo: () => string | null;
}

const NONE: ReadonlyMap<string, number> = new Map();

export function useLabels(digest: string): Labels {
  const client = useQueryClient();
  const query = useQuery(labelsQuery(digest));
  const [steps, setSteps] = useState<readonly LabelStep[]>([]);
  const [failed, setFailed] = useState<unknown>(null);
  // one write after the other: two on their way could arrive in the wrong order
  const queue = useRef<Promise<void>>(Promise.resolve());
  const scores = query.data ?? NONE;
  const send = (documentId: string, score: number | null) => {
    queue.current = queue.current
      .then(() => setLabel(client, digest, documentId, score))
      .then(() => setFailed(null))
      .catch((error: unknown) => setFailed(error));
  };
  return {
    scores,
    steps,
    error: failed ?? query.error,
    set: (documentId, score) => {
      setSteps((old) => [...old, { document_id: documentId, score, before: scores.get(documentId) ?? null }]);
      send(documentId, score);
    },
    undo: () => {
      const last = steps.at(-1);
      if (!last) return null;
      setSteps((old) => old.slice(0, -1));
      send(last.document_id, last.before);
      return last.document_id;
    },
  };
}
