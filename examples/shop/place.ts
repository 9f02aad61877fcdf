/** The demo's temporary place: directories of targets, the releases as an OCI layout, the environments with real addresses. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeOciLayout } from '@stella/testkit/oci-layout';

export const ENVIRONMENTS = ['dev', 'staging', 'prod'] as const;
export type EnvironmentName = (typeof ENVIRONMENTS)[number];
export const VERSIONS = ['1.0.0', '1.1.0'] as const;

export interface Place {
  readonly directory: string;
  readonly dataDir: string;
  readonly layout: string;
  readonly targets: string;
  readonly environments: string;
}

/** What `--check` needs to look at a demo that was left running. */
export interface KeptDemo {
  readonly layout: string;
  readonly pages: Readonly<Record<string, string>>;
}

/** `example`: the directory `examples/shop`. */
export async function makePlace(example: string): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-demo-'));
  // PostgreSQL may run as another user, who must be able to pass.
  await chmod(directory, 0o711);
  const place: Place = {
    directory,
    dataDir: join(directory, 'data'),
    layout: join(directory, 'shop'),
    targets: join(directory, 'targets'),
    environments: join(directory, 'environments'),
  };
  for (const name of ENVIRONMENTS) await mkdir(join(place.targets, name), { recursive: true });
  const images = await Promise.all(
    VERSIONS.map(async (version) => ({ tag: version, files: await readPages(join(example, 'pages', version)) })),
  );
  await writeOciLayout(place.layout, images);
  return place;
}

async function readPages(folder: string): Promise<Record<string, Uint8Array>> {
  const names = await readdir(folder);
  const files = await Promise.all(
    names.map(async (name): Promise<[string, Uint8Array]> => [name, await readFile(join(folder, name))]),
  );
  return Object.fromEntries<Uint8Array>(files);
}

export interface Addresses {
  readonly gate: string;
  readonly pages: Readonly<Record<EnvironmentName, string>>;
}

/** The example's files say fixed directories and ports; here they get those of this run. */
export async function writeEnvironments(example: string, place: Place, addresses: Addresses): Promise<void> {
  await mkdir(place.environments, { recursive: true });
  for (const [index, name] of ENVIRONMENTS.entries()) {
    const text = await readFile(join(example, 'environments', `${name}.yaml`), 'utf8');
    const real = text
      .replaceAll('/srv/shop', place.targets)
      .replaceAll('http://127.0.0.1:8181', addresses.gate)
      .replaceAll(`http://127.0.0.1:810${index + 1}`, addresses.pages[name]);
    await writeFile(join(place.environments, `${name}.yaml`), real);
  }
}

export async function writeKept({ directory }: Place, kept: KeptDemo): Promise<void> {
  await writeFile(join(directory, 'demo.json'), `${JSON.stringify(kept, null, 2)}\n`);
}

export async function readKept(directory: string): Promise<KeptDemo> {
  // Written by `writeKept`.
  return JSON.parse(await readFile(join(directory, 'demo.json'), 'utf8')) as KeptDemo;
}

export async function removePlace({ directory }: Place): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
