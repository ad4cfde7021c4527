// What stands where a page should be.
import { Link, type ErrorComponentProps } from '@tanstack/react-router';
import { ProblemCard } from '../components/feedback';

export function MissingPage() {
  return (
    <main className="gate">
      <h1>There is no such page</h1>
      <p className="muted">The address may be old. Runs, datasets and scores are all still there.</p>
      <Link to="/runs" className="btn primary">
        Go to the runs
      </Link>
    </main>
  );
}

export function ErrorPage({ error, reset }: ErrorComponentProps) {
  return (
    <main className="gate">
      <ProblemCard error={error} what="This page broke" safe="Nothing on the service was changed." retry={reset} />
    </main>
  );
}
