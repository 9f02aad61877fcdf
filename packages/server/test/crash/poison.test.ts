/** A promotion that no worker can move is set aside, says why, and holds up no other (safety L8). */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  adminClient,
  makeServerPlace,
  type ServerPlace,
  type ServerProcess,
  startServerProcess,
  waitFor,
  writeOciLayout,
} from '@stella/testkit';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const WAIT_MS = 40_000;

let place: ServerPlace;
let server: ServerProcess;

beforeEach(async () => {
  place = await makeServerPlace();
  await mkdir(join(place.targets, 'web'), { recursive: true });
  await writeOciLayout(place.layouts, [{ tag: '1', files: { 'index.html': 'shop' } }]);
  server = await startServerProcess(place);
  const text = ['sick', 'sound']
    .map(
      (name) => `
kind: Environment
name: ${name}
gates:
  - { name: sign, kind: approval, count: 1 }
targets:
  - { name: web, kind: files, component: web, directory: ${join(place.targets, name)} }
`,
    )
    .join('---');
  const client = adminClient(server);
  await client.call('applyDefinitions', { body: { documents: [{ file: 'web.yaml', text }] } });
  const components = [{ name: 'web', artifact: `oci-layout:${place.layouts}:1` }];
  await client.call('createRelease', { body: { name: 'shop-1', components } });
});
afterEach(() => place.remove());

/** As the owner of the tables. */
async function asOwner(text: string): Promise<void> {
  const client = new pg.Client({ host: join(place.dataDir, 'run'), user: 'stella_owner', database: 'stella' });
  await client.connect();
  try {
    await client.query(`set search_path = stella; ${text}`);
  } finally {
    await client.end();
  }
}

/** From now on no worker can write that this promotion came to another step. */
function poison(id: string): Promise<void> {
  return asOwner(`
    create function poison() returns trigger language plpgsql as
      $$ begin raise exception 'a check that nothing passes'; end $$;
    create trigger poison before insert on events for each row
      when (new.promotion_id = '${id}' and new.type = 'promotion.step_changed') execute function poison()`);
}

async function promote(environment: string): Promise<string> {
  const body = { release: 'shop-1', environment };
  const { id } = await adminClient(server).call('createPromotion', { body });
  await until(id, ({ status }) => status === 'pending_approval', 'it waits for a person');
  return id;
}

type Detail = Awaited<ReturnType<typeof read>>;

function read(id: string) {
  return adminClient(server).call('getPromotion', { parameters: { promotion: id } });
}

async function until(id: string, is: (detail: Detail) => boolean, why: string): Promise<void> {
  await waitFor(async () => is(await read(id)), { timeoutMs: WAIT_MS, why });
}

async function approve(id: string): Promise<void> {
  const client = adminClient(server);
  const { code } = await client.call('createPerson', { body: { subject: `approver-of-${id}`, roles: ['approver@*'] } });
  const { token } = await adminClient({ url: server.url, token: '' }).call('login', { body: { code } });
  const approver = adminClient({ url: server.url, token });
  await approver.call('approvePromotion', { parameters: { promotion: id }, body: {} });
}

describe('a promotion that no worker can move', () => {
  it('is set aside after the same error in five attempts, and goes on when it was mended', async () => {
    const sick = await promote('sick');
    await poison(sick);
    await approve(sick);
    await until(sick, ({ setAside }) => setAside !== null, 'it is set aside');
    const detail = await read(sick);
    expect(detail).toMatchObject({ step: 'evaluate_gates', workerId: null });
    expect(detail.setAside?.message).toBe('a check that nothing passes');
    expect(detail.possible).toContain(`stella promotion retry ${sick}`);
    const { items: events } = await adminClient(server).call('tracePromotion', { parameters: { promotion: sick } });
    expect(events.filter(({ type }) => type === 'promotion.set_aside')).toHaveLength(1);
    expect(await adminClient(server).call('getOrchestrator')).toMatchObject({ setAsideCount: 1 });
    const sound = await promote('sound');
    await approve(sound);
    await until(sound, ({ status }) => status === 'completed', 'the other completes');
    await asOwner('drop trigger poison on events');
    await adminClient(server).call('retryPromotion', { parameters: { promotion: sick }, body: {} });
    await until(sick, ({ status, setAside }) => status === 'completed' && setAside === null, 'it completes');
    await server.stop();
  });

  it('is set aside when five workers in a row ended with it, and alone when it is tried again', async () => {
    const sick = await promote('sick');
    const sound = await promote('sound');
    await asOwner(`alter table promotions disable trigger user;
      update promotions set claim_failures = 4 where id = '${sick}';
      alter table promotions enable trigger user`);
    await server.arm({ point: 'engine.before_tick', hit: 1 });
    await approve(sick);
    expect(await server.ended).toBe('SIGKILL');
    server = await startServerProcess(place);
    await until(sick, ({ setAside }) => setAside !== null, 'it is set aside');
    expect((await read(sick)).setAside?.message).toBe('5 workers ended before they could write anything');
    await approve(sound);
    await until(sound, ({ status, setAside }) => status === 'completed' && setAside === null, 'the other completes');
    await adminClient(server).call('retryPromotion', { parameters: { promotion: sick }, body: {} });
    await until(sick, ({ status, setAside }) => status === 'completed' && setAside === null, 'it completes');
    await server.stop();
  });
});
