import { describe, expect, it } from 'vitest';
import { makeApprovalGate, makeDefinition, makeHttpGate, makeSoakGate } from '@stella/testkit';
import { definitionHash, gateMeaningHash } from './environment-definition.ts';

describe('gateMeaningHash', () => {
  it('does not change with timing', () => {
    expect(gateMeaningHash(makeHttpGate({ timeoutMs: 1, retryCount: 9, backoffMs: 5, validForMs: 7 }))).toBe(
      gateMeaningHash(makeHttpGate()),
    );
    expect(gateMeaningHash(makeHttpGate({ slaMs: 1, probe: '/healthz' }))).toBe(gateMeaningHash(makeHttpGate()));
    expect(gateMeaningHash(makeApprovalGate({ deadlineMs: 1 }))).toBe(gateMeaningHash(makeApprovalGate()));
  });

  it('does not change with who may step around it, as the definition does', () => {
    expect(gateMeaningHash(makeHttpGate({ skip: 'forbidden' }))).toBe(gateMeaningHash(makeHttpGate()));
    const strict = makeDefinition({ gates: [makeHttpGate({ skip: 'forbidden' })] });
    expect(definitionHash(strict)).not.toBe(definitionHash(makeDefinition({ gates: [makeHttpGate()] })));
  });

  it.each([
    ['another address', makeHttpGate({ url: 'http://other.example/' }), makeHttpGate()],
    ['another header', makeHttpGate({ headers: { 'x-suite': 'smoke' } }), makeHttpGate()],
    ['another name', makeHttpGate({ name: 'load' }), makeHttpGate()],
    ['more approvals', makeApprovalGate({ count: 2 }), makeApprovalGate()],
    ['a group', makeApprovalGate({ group: ['bob'] }), makeApprovalGate()],
    // How long a soak lasts is what it asks for, not how it is asked.
    ['a longer soak', makeSoakGate({ durationMs: 1 }), makeSoakGate()],
    ['other predecessors', makeSoakGate({ environments: ['dev', 'qa'] }), makeSoakGate()],
  ])('changes with %s', (_, gate, other) => {
    expect(gateMeaningHash(gate)).not.toBe(gateMeaningHash(other));
  });
});

describe('definitionHash', () => {
  it('is the same for the same content, and changes with any field', () => {
    expect(definitionHash(makeDefinition())).toBe(definitionHash(makeDefinition()));
    expect(definitionHash(makeDefinition({ deployDeadlineMs: 1 }))).not.toBe(definitionHash(makeDefinition()));
    const timed = makeDefinition({ gates: [makeHttpGate({ timeoutMs: 1 })] });
    expect(definitionHash(timed)).not.toBe(definitionHash(makeDefinition({ gates: [makeHttpGate()] })));
  });
});
