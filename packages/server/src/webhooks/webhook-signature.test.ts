import { describe, expect, it } from 'vitest';
import { checkSignature, readSignedHead, SIGNATURE_TOLERANCE_MS, signatureHeaders } from './webhook-signature.ts';

/** The example of the specification of Standard Webhooks. */
const KEY = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const SECONDS = 1_614_265_330;
const BODY = '{"test": 2432232314}';
const SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';

const HEADERS = { 'webhook-id': ID, 'webhook-timestamp': String(SECONDS), 'webhook-signature': SIGNATURE };
const WRONG = 'no signature of the callback fits its id, time and body';
const NOW_MS = SECONDS * 1_000;

function check(headers: Readonly<Record<string, string>>, body = BODY, nowMs = NOW_MS, key = KEY): void {
  checkSignature(key, readSignedHead(headers), { body: Buffer.from(body), nowMs });
}

describe('a signature', () => {
  it('is made as the specification has it', () => {
    expect(signatureHeaders(KEY, { id: ID, atMs: NOW_MS + 999, body: BODY })).toEqual(HEADERS);
  });

  it('fits the id, the time and the very bytes of the body, and nothing else', () => {
    expect(() => check(HEADERS)).not.toThrow();
    expect(() => check(HEADERS, '{"test":2432232314}')).toThrow(WRONG);
    expect(() => check({ ...HEADERS, 'webhook-id': `${ID}x` })).toThrow(WRONG);
    expect(() => check({ ...HEADERS, 'webhook-timestamp': String(SECONDS + 1) })).toThrow(WRONG);
    expect(() => check(HEADERS, BODY, NOW_MS, Buffer.from('another key of enough bytes'))).toThrow(WRONG);
    expect(() => check({ ...HEADERS, 'webhook-signature': SIGNATURE.replace('v1,', 'v1a,') })).toThrow(WRONG);
    expect(() => check({ ...HEADERS, 'webhook-signature': SIGNATURE.slice(0, -4) })).toThrow(WRONG);
  });

  it('is one of several while a key is exchanged', () => {
    const other = `v1,${Buffer.alloc(32).toString('base64')}`;
    expect(() => check({ ...HEADERS, 'webhook-signature': `${other} ${SIGNATURE}` })).not.toThrow();
  });

  it.each([-1, 1])('counts for so long before and after, and not longer (%s)', (side) => {
    expect(() => check(HEADERS, BODY, NOW_MS + side * SIGNATURE_TOLERANCE_MS)).not.toThrow();
    const late = () => check(HEADERS, BODY, NOW_MS + side * (SIGNATURE_TOLERANCE_MS + 1));
    expect(late).toThrow('more than 300000 ms from now');
  });

  it.each([
    ['no id', { ...HEADERS, 'webhook-id': '' }],
    ['an id that is no id', { ...HEADERS, 'webhook-id': 'a b' }],
    ['a time that is none', { ...HEADERS, 'webhook-timestamp': '2026-01-01' }],
    ['no signature', { ...HEADERS, 'webhook-signature': '' }],
    ['no headers', {}],
  ])('is not there with %s', (_name, headers) => {
    expect(() => check(headers)).toThrow('the callback is not signed');
  });
});
