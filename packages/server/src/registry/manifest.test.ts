import { digestOf, isAppError } from '@stella/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ArtifactDocument } from '../ports/registry.ts';
import {
  DOCKER_INDEX,
  DOCKER_MANIFEST,
  DOCUMENT_BYTES_MAX,
  LAYERS_MAX,
  MANIFESTS_MAX,
  OCI_INDEX,
  OCI_MANIFEST,
  parseDocument,
} from './manifest.ts';

const CONFIG = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('config'), size: 6 };
const LAYER = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digestOf('layer'), size: 5 };
const CHILD = {
  mediaType: OCI_MANIFEST,
  digest: digestOf('child'),
  size: 5,
  platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
};
const MANIFEST = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: CONFIG, layers: [LAYER] };
const INDEX = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [CHILD] };

function parse(body: unknown, headerMediaType: string | null = null): ArtifactDocument {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return parseDocument(Buffer.from(text), { digest: digestOf(text), repository: 'r.example/web', headerMediaType });
}

function refusalOf(body: unknown, headerMediaType: string | null = null): string {
  try {
    parse(body, headerMediaType);
  } catch (error) {
    if (isAppError(error, 'registry.bad_manifest') || isAppError(error, 'registry.limit')) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('parseDocument accepts', () => {
  it('a manifest', () => {
    expect(parse(MANIFEST, OCI_MANIFEST)).toEqual({
      kind: 'manifest',
      digest: digestOf(JSON.stringify(MANIFEST)),
      mediaType: OCI_MANIFEST,
      config: { mediaType: CONFIG.mediaType, digest: CONFIG.digest, sizeBytes: 6 },
      layers: [{ mediaType: LAYER.mediaType, digest: LAYER.digest, sizeBytes: 5 }],
    });
  });

  it('an index with its platforms', () => {
    const document = parse(INDEX, OCI_INDEX);
    expect(document).toMatchObject({ kind: 'index', manifests: [{ sizeBytes: 5, platform: CHILD.platform }] });
  });

  it.each([
    [DOCKER_MANIFEST, { ...MANIFEST, mediaType: DOCKER_MANIFEST }, 'manifest'],
    [DOCKER_INDEX, { ...INDEX, mediaType: DOCKER_INDEX }, 'index'],
  ])("Docker's %s", (mediaType, body, kind) => {
    expect(parse(body, mediaType)).toMatchObject({ kind, mediaType });
  });

  it.each([
    ['told by its header', MANIFEST, DOCKER_MANIFEST, DOCKER_MANIFEST],
    ['told by nobody, so of OCI: manifest', MANIFEST, null, OCI_MANIFEST],
    ['told by nobody, so of OCI: index', INDEX, null, OCI_INDEX],
  ])('a body without a media type, %s', (_how, body, header, expected) => {
    expect(parse({ ...body, mediaType: undefined }, header).mediaType).toBe(expected);
  });

  it('unknown fields, annotations of any spelling, and empty lists', () => {
    const body = {
      ...MANIFEST,
      layers: [],
      annotations: { Size: '1', Layers: '2' },
      subject: CHILD,
      artifactType: 'a/b',
    };
    expect(parse(body)).toMatchObject({ kind: 'manifest', layers: [] });
  });

  it.each(['application/vnd.oci.image.manifest.v1+json; charset=utf-8', ` ${OCI_MANIFEST.toUpperCase()} `])(
    'the header %j',
    (header) => {
      expect(parse(MANIFEST, header).mediaType).toBe(OCI_MANIFEST);
    },
  );
});

describe('parseDocument refuses', () => {
  it.each<[string, unknown, string | null, RegExp]>([
    ['both lists', { ...MANIFEST, manifests: [CHILD] }, null, /ambiguous/],
    ['both lists, one empty', { ...MANIFEST, manifests: [] }, null, /ambiguous/],
    ['both lists without a media type', { ...MANIFEST, mediaType: undefined, manifests: [CHILD] }, null, /ambiguous/],
    ['an index with layers', { ...INDEX, layers: [LAYER] }, null, /ambiguous/],
    ['an index with a config', { ...INDEX, config: CONFIG }, null, /ambiguous/],
    ['parts of the first schema', { ...MANIFEST, fsLayers: [] }, null, /ambiguous/],
    ['a disagreeing header', MANIFEST, DOCKER_MANIFEST, /handed over as/],
    ['a header of another kind', MANIFEST, OCI_INDEX, /handed over as/],
    ['a foreign header', MANIFEST, 'text/html', /handed over as "text\/html"/],
    ['an empty header', MANIFEST, '', /handed over as ""/],
    ['fields of a manifest under an index', { ...MANIFEST, mediaType: OCI_INDEX }, null, /ambiguous/],
    ['an unknown media type', { ...MANIFEST, mediaType: 'application/json' }, null, /"application\/json" is not one/],
    ['the first schema', { ...MANIFEST, schemaVersion: 1 }, null, /schemaVersion/],
    ['a textual schema version', { ...MANIFEST, schemaVersion: '2' }, null, /schemaVersion/],
    ['no schema version', { ...MANIFEST, schemaVersion: undefined }, null, /schemaVersion/],
    ['a numeric media type', { ...MANIFEST, mediaType: 2 }, null, /mediaType is not text/],
    ['null as a media type', { ...MANIFEST, mediaType: null }, null, /mediaType is not text/],
    ['no config', { ...MANIFEST, config: undefined }, null, /"config" is not an object/],
    ['no layers', { ...MANIFEST, layers: undefined }, null, /"layers" is not a list/],
    ['null layers', { ...MANIFEST, layers: null }, null, /"layers" is not a list/],
    ['null manifests', { ...INDEX, manifests: null }, null, /"manifests" is not a list/],
    ['a null layer', { ...MANIFEST, layers: [null] }, null, /"layers\[0\]" is not an object/],
    [
      'a digest in capitals',
      { ...MANIFEST, layers: [{ ...LAYER, digest: LAYER.digest.toUpperCase() }] },
      null,
      /no digest/,
    ],
    ['another hash', { ...MANIFEST, layers: [{ ...LAYER, digest: `sha512:${'0'.repeat(128)}` }] }, null, /no digest/],
    [
      'a digest that is a path',
      { ...MANIFEST, config: { ...CONFIG, digest: 'sha256:../../etc/passwd' } },
      null,
      /no digest/,
    ],
    ['a negative size', { ...MANIFEST, layers: [{ ...LAYER, size: -1 }] }, null, /no valid size/],
    ['half a byte', { ...MANIFEST, layers: [{ ...LAYER, size: 0.5 }] }, null, /no valid size/],
    ['a size beyond counting', { ...MANIFEST, layers: [{ ...LAYER, size: 2 ** 60 }] }, null, /no valid size/],
    ['no media type of a layer', { ...MANIFEST, layers: [{ ...LAYER, mediaType: '' }] }, null, /no valid mediaType/],
    ['a platform without a name', { ...INDEX, manifests: [{ ...CHILD, platform: {} }] }, null, /does not name os/],
    ['a misspelt list', { ...INDEX, Layers: [LAYER] }, null, /"Layers" where only "layers"/],
    ['a list misspelt with U+017F', { ...INDEX, 'layer\u017f': [LAYER] }, null, /where only "layers"/],
    ['a misspelt digest', { ...MANIFEST, layers: [{ ...LAYER, DIGEST: CONFIG.digest }] }, null, /"DIGEST" where only/],
    ['a list', [MANIFEST], null, /not a JSON object/],
    ['null', 'null', null, /not a JSON object/],
    ['no JSON', '{', null, /not valid JSON/],
    ['nothing', '', null, /not valid JSON/],
    ['a byte order mark', `\ufeff${JSON.stringify(MANIFEST)}`, null, /not valid JSON/],
    ['a key twice', JSON.stringify(MANIFEST).replace('{', '{"layers":[],'), null, /same key twice/],
    [
      'too many layers',
      { ...MANIFEST, layers: Array(LAYERS_MAX + 1).fill(LAYER) },
      null,
      /has 128 entries; at most 127/,
    ],
    ['too many manifests', { ...INDEX, manifests: Array(MANIFESTS_MAX + 1).fill(CHILD) }, null, /at most 256/],
    ['too many bytes', JSON.stringify(MANIFEST) + ' '.repeat(DOCUMENT_BYTES_MAX), null, /larger than 4194304 bytes/],
  ])('%s', (_what, body, header, expected) => {
    expect(refusalOf(body, header)).toMatch(expected);
  });

  it('bytes that are not UTF-8', () => {
    const call = (): unknown =>
      parseDocument(Buffer.from([0x7b, 0xff, 0x7d]), { digest: digestOf(''), repository: 'r', headerMediaType: null });
    expect(call).toThrow(/not UTF-8/);
  });

  it('with a message that repeats nothing of a file that is no manifest', () => {
    expect(refusalOf('root:x:0:0:root:/root:/bin/bash')).not.toContain('bash');
  });
});

function mediaTypeOrRefusal(body: unknown, header: string | null): string {
  try {
    return parse(body, header).mediaType;
  } catch (error) {
    if (isAppError(error, 'registry.bad_manifest')) return error.code;
    throw error;
  }
}

it('answers a document or an AppError for any JSON in any of its places', () => {
  const anything = fc.oneof(fc.jsonValue(), fc.constantFrom(CONFIG, LAYER, CHILD, [LAYER], [CHILD], OCI_INDEX));
  const key = fc.constantFrom('mediaType', 'schemaVersion', 'config', 'layers', 'manifests', 'x');
  const changed = fc
    .tuple(fc.constantFrom<Record<string, unknown>>(MANIFEST, INDEX), fc.dictionary(key, anything, { maxKeys: 3 }))
    .map(([body, changes]) => ({ ...body, ...changes }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), changed), fc.constantFrom(null, OCI_MANIFEST, OCI_INDEX), (body, header) => {
      const mediaType = mediaTypeOrRefusal(body, header);
      expect([header ?? mediaType, 'registry.bad_manifest']).toContain(mediaType);
    }),
    { numRuns: 500 },
  );
});
