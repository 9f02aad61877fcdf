/** What a caller wants to be looked at → the subjects, of environments where he may. */
import { AppError, authorize, isAllowed, nearestOf, type Principal, type Release } from '@stella/domain';
import type { EnvironmentRow } from '../ports/read-store.ts';
import { type Lookable, lookablesOf } from '../probes/probe-subjects.ts';
import type { HttpDeps } from './route-handler.ts';

/** Releases whose registries are looked at, besides the one that runs: those on their way. */
const RELEASES_MAX = 20;

export interface ProbeWish {
  /** Null: all where the caller may. */
  readonly environment: string | null;
  /** Null: all. */
  readonly gate: string | null;
}

/** Errors: `environment.not_found`, `auth.forbidden`, `gate.unknown`, each naming the nearest where there is one. */
export async function findLookables(
  { reads }: Pick<HttpDeps, 'reads'>,
  caller: Principal,
  { environment, gate }: ProbeWish,
): Promise<readonly Lookable[]> {
  if (environment !== null) {
    authorize(caller, 'connectivity.probe', { environment, name: `environment ${environment}` });
  }
  const rows =
    environment === null
      ? (await reads.listEnvironments()).filter(({ definition }) =>
          isAllowed(caller.bindings, 'connectivity.probe', definition.name),
        )
      : [await reads.readEnvironment(environment)];
  const found: Lookable[] = [];
  const declared = gate === null ? (await reads.listRegistries()).map(({ definition }) => definition) : [];
  for (const row of rows) found.push(...lookablesOf(row, gate === null ? await releasesOf(reads, row) : [], declared));
  if (gate === null) return found;
  const gates = found.filter(({ subject }) => subject.kind === 'gate');
  const wanted = gates.filter(({ subject }) => subject.name === gate);
  if (wanted.length > 0) return wanted;
  throw unknownGate(
    gate,
    gates.map(({ subject }) => subject.name),
  );
}

export function unknownGate(name: string, known: readonly string[]): AppError {
  const nearest = nearestOf(name, [...new Set(known)]);
  const hint = nearest === null ? {} : { hint: `did you mean "${nearest}"?` };
  return new AppError('gate.unknown', { details: { name, nearest }, ...hint });
}

/** The one that runs there, and those on their way there. */
async function releasesOf(
  reads: HttpDeps['reads'],
  { definition, status }: EnvironmentRow,
): Promise<readonly Release[]> {
  const { rows } = await reads.listPromotions(
    {
      statuses: ['queued', 'in_progress', 'pending_approval', 'scheduled'],
      kinds: null,
      environment: definition.name,
      releaseId: null,
      olderThanMs: null,
      lastMs: null,
      visible: ['*'],
    },
    { limit: RELEASES_MAX, cursor: null },
  );
  const ids = new Set([...(status.releaseId === null ? [] : [status.releaseId]), ...rows.map((row) => row.releaseId)]);
  return Promise.all([...ids].map((id) => reads.findRelease(id)));
}
