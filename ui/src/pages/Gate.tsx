// Lets those in who have a session; tells the others how to get one.
import { useQuery } from '@tanstack/react-query';
import { Outlet } from '@tanstack/react-router';
import { ApiError } from '../api/client';
import { sessionQuery } from '../api/queries';
import { ProblemCard, Skeleton } from '../components/feedback';
import { LiveProvider } from '../components/live';
import { Toasts } from '../components/undo';
import './gate.css';

function LogIn() {
  return (
    <main className="gate">
      <h1>Log in to Headrace</h1>
      <p className="muted">Run this on the machine that runs Headrace. It opens a link that logs this browser in, once.</p>
      <code className="mono gate-cli">headrace login</code>
    </main>
  );
}

export function Gate() {
  const { data, error, refetch } = useQuery(sessionQuery);
  if (data)
    return (
      <LiveProvider>
        <Outlet />
        <Toasts />
      </LiveProvider>
    );
  if (error instanceof ApiError && error.status === 401) return <LogIn />;
  if (error)
    return (
      <main className="gate">
        <ProblemCard error={error} what="Headrace does not answer" safe="Running work goes on by itself." retry={() => void refetch()} />
      </main>
    );
  return (
    <main className="gate" aria-busy="true">
      <Skeleton width={240} height={20} />
    </main>
  );
}
