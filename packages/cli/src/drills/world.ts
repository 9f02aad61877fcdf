/**
 * The world of one drill: environments, gates, releases and settings that bear its name, its directory, its peer. All
 * that a drill does goes through here, by the public API and its own files, so that nothing else can be touched.
 */
import { join } from 'node:path';
import type { Answer, Client } from '@stella/contract/client';
import { AppError, isTerminal } from '@stella/domain/client';
import { type ArtifactContent, writeArtifact } from './artifact.ts';
import { hostOf } from './host/host-keys.ts';
import {
  type DrillPlace,
  type DrillState,
  type OwnAddress,
  type PeerModes,
  readAddress,
  readModes,
  writeModes,
} from './place.ts';
import { unexpected } from './unexpected.ts';

const POLL_MS = 100;
/** Of one step of a drill: what it waits for happens within seconds, on a loaded machine within more. */
const STEP_TIMEOUT_MS = 120_000;

type Promotion = Answer<'getPromotion'>;

export interface EnvironmentDraft {
  /** Added to the drill's name; without: the name itself. */
  readonly suffix?: string;
  readonly promotesFrom?: readonly string[];
  readonly gates?: readonly object[];
  /** Keys of the target, beside those that it gets. */
  readonly target?: object;
  /** Components, each with a target; default: `app`. */
  readonly components?: readonly string[];
  /** Further targets of the first component. */
  readonly twins?: readonly string[];
  /** Further keys. */
  readonly more?: object;
}

export interface World {
  readonly name: string;
  readonly place: DrillPlace;
  readonly client: Client;
  readonly server: string;
  /** Of the second person; throws `drill.needs` without one. */
  readonly colleague: () => Client;
  /** Where the orchestrator of its own is; throws `drill.broken` when it has none. */
  readonly own: () => OwnAddress;
  readonly gateUrl: string;
  /** The same gate by TLS; throws `drill.broken` without certificates. */
  readonly secureGateUrl: () => string;
  readonly healthUrl: string;
  readonly judgeUrl: string;
  /** Where its host over SSH is, as `host` of a target names it; throws `drill.broken` without keys. */
  readonly sshHost: () => object;
  /** Directory of the target of a component, in that environment of the drill. */
  targetDirectory(component?: string, suffix?: string): string;
  /** Changes how its peer behaves. */
  behave(modes: Partial<PeerModes>): void;
  apply(...drafts: readonly EnvironmentDraft[]): Promise<void>;
  /** Makes a release `<name>-<label>` of new artifacts; answers its name. */
  release(label: string, order?: ReleaseOrder): Promise<string>;
  promote(release: string, suffix?: string): Promise<string>;
  /** The same, and waits until it has come to its gates: on a busy machine a precheck may take its time. */
  promoteToGates(release: string): Promise<string>;
  read(promotion: string): Promise<Promotion>;
  until(promotion: string, isRight: (promotion: Promotion) => boolean, why: string): Promise<void>;
  untilCompleted(promotion: string): Promise<void>;
}

export interface ReleaseOrder {
  readonly components?: readonly string[];
  /** Default: a page. */
  readonly content?: ArtifactContent;
}

export interface WorldOrder {
  readonly state: DrillState;
  readonly place: DrillPlace;
  readonly client: Client;
  readonly colleague: Client | null;
}

export function openWorld({ state, place, client, colleague }: WorldOrder): World {
  const { name } = state;
  const address = readAddress(place);
  if (!address) throw new AppError('drill.broken', { details: { name } });
  const broken = (): AppError => new AppError('drill.broken', { details: { name } });
  const environmentName = (suffix?: string): string => (suffix === undefined ? name : `${name}-${suffix}`);
  const targetDirectory: World['targetDirectory'] = (component = 'app', suffix) =>
    join(place.targets, suffix === undefined ? component : `${suffix}-${component}`);
  const read: World['read'] = (promotion) => client.call('getPromotion', { parameters: { promotion } });
  const until: World['until'] = (promotion, isRight, why) =>
    waitFor(async () => isRight(await read(promotion)), `${promotion}: ${why}`);
  return {
    name,
    place,
    client,
    server: state.own?.server ?? state.server,
    own() {
      if (state.own === null) throw broken();
      return state.own;
    },
    secureGateUrl() {
      if (address.secure === null) throw broken();
      return `https://${address.secure}/gate`;
    },
    colleague() {
      if (!colleague) throw new AppError('drill.needs', { details: { cause: state.cause, what: SECOND_PERSON } });
      return colleague;
    },
    gateUrl: `http://${address.service}/gate`,
    healthUrl: `http://${address.service}/health`,
    judgeUrl: `http://${address.service}/judge`,
    sshHost() {
      if (address.ssh === null) throw broken();
      return hostOf(place, address.ssh.host);
    },
    targetDirectory,
    behave: (modes) => writeModes(place, { ...readModes(place), ...modes }),
    async apply(...drafts) {
      const documents = drafts.map((draft) => documentOf(draft, environmentName(draft.suffix), targetDirectory));
      await client.call('applyDefinitions', { body: { documents } });
    },
    async release(label, { components = ['app'], content } = {}) {
      const release = `${name}-${label}`;
      const made = [];
      for (const component of components) {
        const page = content ?? { path: 'index.html', text: `${component} of ${release}` };
        const digest = await writeArtifact(place.layout, page);
        made.push({ name: component, artifact: `${address.registry}/drill/${component}@${digest}` });
      }
      await client.call('createRelease', { body: { name: release, components: made } });
      return release;
    },
    async promote(release, suffix) {
      const body = { release, environment: environmentName(suffix), reason: 'drill' };
      return (await client.call('createPromotion', { body })).id;
    },
    async promoteToGates(release) {
      const promotion = await this.promote(release);
      await until(promotion, ({ step }) => step === 'evaluate_gates', 'comes to its gates');
      return promotion;
    },
    read,
    until,
    async untilCompleted(promotion) {
      await until(promotion, ({ status }) => isTerminal(status), 'ends');
      const { status } = await read(promotion);
      if (status !== 'completed') throw unexpected(`${promotion} ended as ${status}`);
    },
  };
}

/** JSON is YAML. */
function documentOf(
  draft: EnvironmentDraft,
  name: string,
  targetDirectory: World['targetDirectory'],
): { readonly file: string; readonly text: string } {
  const { suffix, promotesFrom = [], gates = [], target = {}, components = ['app'], twins = [], more = {} } = draft;
  const targetOf = (component: string | undefined, twin = component): object => ({
    name: twin,
    kind: 'files',
    component,
    directory: targetDirectory(twin, suffix),
    ...target,
  });
  const [first] = components;
  const targets = [
    ...components.map((component) => targetOf(component)),
    ...twins.map((twin) => targetOf(first, twin)),
  ];
  const definition = { kind: 'Environment', name, promotesFrom, gates, targets, ...more };
  return { file: `${name}.yaml`, text: JSON.stringify(definition) };
}

const SECOND_PERSON = 'another person with the role approver: --approver-token-file <file>';

/** Throws `drill.unexpected` when it does not come. */
export async function waitFor(
  isThere: () => Promise<boolean>,
  why: string,
  timeoutMs = STEP_TIMEOUT_MS,
): Promise<void> {
  const endsAtMs = Date.now() + timeoutMs;
  while (!(await isThere())) {
    if (Date.now() >= endsAtMs) throw unexpected(`waited ${Math.round(timeoutMs / 1_000)} s in vain: ${why}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
