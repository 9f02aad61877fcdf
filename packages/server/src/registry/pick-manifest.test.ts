import { digestOf, isAppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../ports/registry.ts';
import { OCI_INDEX, OCI_MANIFEST } from './manifest.ts';
import { type IndexDocument, linuxPlatform, pickManifest, type WantedPlatform } from './pick-manifest.ts';

function entry(platform: string | null, name = platform ?? 'none', mediaType = OCI_MANIFEST): Descriptor {
  const [os = '', architecture = '', variant] = (platform ?? '').split('/');
  const descriptor = { mediaType, digest: digestOf(name), sizeBytes: 1 };
  if (platform === null) return descriptor;
  return { ...descriptor, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
}

function pick(manifests: readonly Descriptor[], wanted: WantedPlatform): Descriptor | string {
  const index: IndexDocument = { kind: 'index', digest: digestOf('index'), mediaType: OCI_INDEX, manifests };
  try {
    return pickManifest(index, wanted, 'r.example/web');
  } catch (error) {
    if (isAppError(error, 'registry.bad_manifest')) return error.message;
    throw error;
  }
}

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

describe('pickManifest', () => {
  const both = [entry('linux/amd64'), entry('linux/arm64/v8')];
  it.each([
    [both, AMD64, 'linux/amd64'],
    [both, ARM64, 'linux/arm64/v8'],
    [both, { ...ARM64, variant: 'v8' }, 'linux/arm64/v8'],
    [[entry('windows/amd64'), entry('linux/amd64')], AMD64, 'linux/amd64'],
    [[entry('linux/amd64', 'first'), entry('linux/amd64', 'second')], AMD64, 'first'],
    [[entry(null)], AMD64, 'none'],
    [[entry(null), entry('linux/amd64', 'index', OCI_INDEX)], AMD64, 'none'],
    [
      [entry('linux/arm/v6'), entry('linux/arm/v7')],
      { os: 'linux', architecture: 'arm', variant: 'v7' },
      'linux/arm/v7',
    ],
  ])('takes the one that fits: %#', (manifests, wanted, name) => {
    expect(pick(manifests, wanted)).toMatchObject({ digest: digestOf(name) });
  });

  it.each([
    [
      both,
      { os: 'linux', architecture: 's390x' },
      /no manifest for linux\/s390x; it has: linux\/amd64, linux\/arm64\/v8/,
    ],
    [[], AMD64, /it has: no manifests/],
    [[entry('unknown/unknown')], AMD64, /it has: unknown\/unknown/],
    [[entry(null, 'a'), entry(null, 'b')], AMD64, /it has: none, none/],
    [[entry('linux/amd64', 'nested', OCI_INDEX)], AMD64, /it has: no manifests/],
    [[entry('linux/arm/v6')], { os: 'linux', architecture: 'arm', variant: 'v7' }, /no manifest for linux\/arm\/v7/],
    [[entry('windows/amd64')], AMD64, /it has: windows\/amd64/],
  ])('refuses when none fits: %#', (manifests, wanted, expected) => {
    expect(pick(manifests, wanted)).toMatch(expected);
  });
});

it.each([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
  ['ppc64', 'ppc64le'],
  ['riscv64', 'riscv64'],
])('linuxPlatform(%s) is linux/%s', (node, architecture) => {
  expect(linuxPlatform(node)).toEqual({ os: 'linux', architecture });
});
