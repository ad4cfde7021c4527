// The page's state in the URL: read, and changed in place.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';
import type { DatasetSearch } from './tabs';

export function useDatasetSearch(): [DatasetSearch, (change: Partial<DatasetSearch>) => void] {
  const search = useSearch({ from: '/app/datasets/$digest' });
  const navigate = useNavigate({ from: '/datasets/$digest' });
  const change = useCallback((next: Partial<DatasetSearch>) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true, resetScroll: false }), [navigate]);
  return [search, change];
}
