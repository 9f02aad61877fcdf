import { combinedDigest, STANDARD_SETTINGS, type TargetDefinition } from '@stella/domain';
import { makeComposeTarget, makeDefinition, makePrincipal, makeRelease, makeTarget } from '@stella/testkit';
import { expect, it } from 'vitest';
import type { HttpDeps, RequestContext } from '../route-handler.ts';
import { listArtifacts } from './list-artifacts.ts';

const [FIRST, SECOND] = [makeRelease(1, ['api', 'web']), makeRelease(2, ['web'])];

interface Items {
  readonly items: readonly {
    readonly promised: string | null;
    readonly release: string | null;
    readonly message: string;
  }[];
}

/** Of targets that take a moment; `onLook` hears how many are looked at together. */
async function list(targets: readonly TargetDefinition[], onLook: (together: number) => void): Promise<Items['items']> {
  const running = { api: FIRST.id, web: SECOND.id };
  const components = Object.entries(running).map(([component, releaseId]) => ({ component, releaseId }));
  let together = 0;
  const observe = async () => {
    together += 1;
    onLook(together);
    await new Promise((resolve) => setImmediate(resolve));
    together -= 1;
    return { outcome: 'errored', code: 'target.unreachable', message: 'down' };
  };
  const reads = {
    readEnvironment: async () => ({ definition: makeDefinition({ targets }), status: { components } }),
    findRelease: async (id: string) => [FIRST, SECOND].find((one) => one.id === id),
    listSettings: async () => [{ key: 'limits.targetsAtOnce', value: 3 }],
  };
  const clock = { monotonicMs: () => 0, schedule: () => () => undefined };
  // Only what is used.
  const deps = { reads, clock, settings: STANDARD_SETTINGS, openTarget: () => ({ observe }) } as unknown as HttpDeps;
  const caller = makePrincipal('vera', 'viewer@*');
  const context = { caller, parameters: { environment: 'prod' }, query: {}, signal: new AbortController().signal };
  const answer = await listArtifacts(deps, context as unknown as RequestContext<'listArtifacts'>);
  return (answer as Items).items;
}

it('looks at no more targets together than a promotion does', async () => {
  const targets = Array.from({ length: 10 }, (_, index) => makeTarget({ name: `web-${index}` }));
  let most = 0;
  const items = await list(targets, (together) => (most = Math.max(most, together)));
  expect(items.map(({ message }) => message)).toEqual(targets.map(() => 'down'));
  expect(most).toBe(3);
});

it('promises of each component what runs of it, also when they are of several releases', async () => {
  const both = makeComposeTarget();
  const [one] = await list([both], () => undefined);
  const api = FIRST.components.find(({ name }) => name === 'api');
  const web = SECOND.components.find(({ name }) => name === 'web');
  expect(one?.promised).toBe(combinedDigest([api, web].flatMap((part) => part ?? [])));
});
