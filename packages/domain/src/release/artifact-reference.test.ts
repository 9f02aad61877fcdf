import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAppError } from '../errors/app-error.ts';
import { formatArtifactReference, parseArtifactReference, SOURCE_NAME_LENGTH_MAX } from './artifact-reference.ts';
import type { ArtifactReference, ArtifactSource } from './release.ts';
import { digestOf } from '../values/digest.ts';

const DIGEST = digestOf('content');

function messageFor(text: unknown): string {
  try {
    parseArtifactReference(text);
  } catch (error) {
    if (isAppError(error, 'registry.reference')) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('parseArtifactReference accepts', () => {
  const web: ArtifactSource = { kind: 'registry', registry: '127.0.0.1:5000', repository: 'shop/web' };
  it.each<[string, ArtifactReference]>([
    ['127.0.0.1:5000/shop/web:1.4', { source: web, tag: '1.4', digest: null }],
    [`127.0.0.1:5000/shop/web@${DIGEST}`, { source: web, tag: null, digest: DIGEST }],
    [
      'localhost/web:a',
      { source: { kind: 'registry', registry: 'localhost', repository: 'web' }, tag: 'a', digest: null },
    ],
    [
      '[::1]:5000/a/b__c/d--e.f:V_1.2-rc',
      {
        source: { kind: 'registry', registry: '[::1]:5000', repository: 'a/b__c/d--e.f' },
        tag: 'V_1.2-rc',
        digest: null,
      },
    ],
    [
      'Registry.Example/web:1',
      { source: { kind: 'registry', registry: 'registry.example', repository: 'web' }, tag: '1', digest: null },
    ],
    [
      'oci-layout:/srv/my layouts/wéb:1.4',
      { source: { kind: 'oci-layout', directory: '/srv/my layouts/wéb' }, tag: '1.4', digest: null },
    ],
    [
      `oci-layout:/srv/web@${DIGEST}`,
      { source: { kind: 'oci-layout', directory: '/srv/web' }, tag: null, digest: DIGEST },
    ],
  ])('%s', (text, expected) => {
    expect(parseArtifactReference(text)).toEqual(expected);
  });
});

describe('parseArtifactReference refuses', () => {
  it.each<[unknown, RegExp]>([
    ['', /tag or a digest is missing/],
    [null, /must be text/],
    ['web:1', /registry is missing/],
    ['shop/web:1', /registry is missing/],
    ['registry.example/web', /tag or a digest is missing/],
    ['registry.example:5000/web', /tag or a digest is missing/],
    ['registry.example/web:', /tag has 1 to 128/],
    ['registry.example/web:-a', /tag has 1 to 128/],
    [`registry.example/web:${'a'.repeat(129)}`, /tag has 1 to 128/],
    ['registry.example/web:a:b', /tag has 1 to 128/],
    [`registry.example/web:1@${DIGEST}`, /either a tag or a digest/],
    [`registry.example/web@${DIGEST.toUpperCase()}`, /digest must be/],
    [`registry.example/web@sha512:${'0'.repeat(128)}`, /digest must be/],
    [`registry.example/web@${DIGEST}@${DIGEST}`, /digest must be/],
    ['registry.example/Web:1', /repository is lowercase/],
    ['registry.example/a//b:1', /repository is lowercase/],
    ['registry.example/a/../b:1', /repository is lowercase/],
    ['registry.example/a___b:1', /repository is lowercase/],
    ['registry.example/:1', /repository is lowercase/],
    ['registry.example/web%2f:1', /repository is lowercase/],
    ['http://registry.example/web:1', /registry is not a host/],
    ['user:secret@registry.example/web:1', /registry is missing/],
    ['registry.example:0/web:1', /registry is not a host/],
    ['registry.example:65536/web:1', /registry is not a host/],
    ['registry.example:5000:1/web:1', /registry is not a host/],
    ['127.1:5000/web:1', /registry is not a host/],
    ['127.0.0.0x1/web:1', /registry is not a host/],
    ['127.0.0.256/web:1', /registry is not a host/],
    ['127.0.0.1./web:1', /registry is not a host/],
    ['[::1/web:1', /registry is not a host/],
    ['[::g]/web:1', /registry is (not a host|missing)/],
    ['[1::2::3]/web:1', /registry is not a host/],
    ['-a.example/web:1', /registry is not a host/],
    [`registry.example/${'a'.repeat(SOURCE_NAME_LENGTH_MAX)}:1`, /longer than 255/],
    [`registry.example/${'a'.repeat(2_000)}:1`, /longer than 1500/],
    ['oci-layout:srv/web:1', /absolute path/],
    ['oci-layout:/:1', /absolute path/],
    ['oci-layout:/srv/web', /tag or a digest is missing/],
    ['oci-layout:/srv/../etc:1', /"\.\." segments/],
    ['oci-layout:/srv//web:1', /empty/],
    ['oci-layout:/srv/web/:1', /empty/],
    ['oci-layout:/srv/a:b/web:1', /must not have ":"/],
    ['oci-layout:/srv/we\0b:1', /unprintable/],
    ['oci-layout:/srv/we\nb:1', /unprintable/],
    [`oci-layout:/${'a'.repeat(1_024)}:1`, /longer than 1024/],
    ['oci-layout:///srv/web:1', /empty/],
  ])('%j', (text, expected) => {
    expect(messageFor(text)).toMatch(expected);
  });

  it('repeats at most 200 characters of what it refuses', () => {
    expect(messageFor('x'.repeat(5_000)).length).toBeLessThan(300);
  });
});

const segment = fc.stringMatching(/^[a-z0-9]{1,5}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}$/);
const registry = fc
  .tuple(
    fc.constantFrom('localhost', 'registry.example', '127.0.0.1', '[::1]', '[fe80:0:0:0:1:2:3:4]', 'a-b.c0.example'),
    fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: null }),
  )
  .map(([host, port]) => (port === null ? host : `${host}:${port}`));
const source: fc.Arbitrary<ArtifactSource> = fc.oneof(
  fc
    .tuple(registry, fc.array(segment, { minLength: 1, maxLength: 4 }))
    .map(([host, parts]) => ({ kind: 'registry' as const, registry: host, repository: parts.join('/') })),
  fc
    .array(fc.stringMatching(/^[A-Za-z0-9 ._~+-]{1,12}$/), { minLength: 1, maxLength: 4 })
    .filter((parts) => parts.every((part) => part !== '.' && part !== '..'))
    .map((parts) => ({ kind: 'oci-layout' as const, directory: `/${parts.join('/')}` })),
);
const reference: fc.Arbitrary<ArtifactReference> = fc
  .tuple(source, fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}$/))
  .chain(([from, tag]) =>
    fc.constantFrom({ source: from, tag, digest: null }, { source: from, tag: null, digest: digestOf(tag) }),
  );

it('does not repeat a password that was pasted in', () => {
  expect(messageFor('https://joe:hunter2@registry.example/web:1')).not.toContain('hunter2');
  expect(messageFor(`joe:hunter2@registry.example/web@${DIGEST}`)).not.toContain('hunter2');
});

function readOrRefusal(text: string): ArtifactReference | 'registry.reference' {
  try {
    return parseArtifactReference(text);
  } catch (error) {
    if (isAppError(error, 'registry.reference')) return 'registry.reference';
    throw error;
  }
}

describe('properties of parseArtifactReference', () => {
  it('reads back what formatArtifactReference wrote', () => {
    fc.assert(
      fc.property(reference, (wanted) => {
        expect(parseArtifactReference(formatArtifactReference(wanted))).toEqual(wanted);
      }),
    );
  });

  it('throws nothing but registry.reference, and what it accepts is written the same way again', () => {
    const pieces = fc.constantFrom(
      'oci-layout:',
      '/',
      ':',
      '@',
      DIGEST,
      '..',
      'a',
      '[::1]',
      'localhost',
      '\0',
      'é',
      'A.b',
      '5000',
    );
    const garbage = fc.oneof(
      fc.string({ unit: 'binary-ascii' }),
      fc.array(pieces, { maxLength: 12 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        const read = readOrRefusal(text);
        if (read === 'registry.reference') return;
        const written = formatArtifactReference(read);
        expect(written.toLowerCase()).toBe(text.toLowerCase());
        expect(parseArtifactReference(written)).toEqual(read);
      }),
      { numRuns: 500 },
    );
  });
});
