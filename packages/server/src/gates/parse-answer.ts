/** What a gate has said → its verdict. An answer that readers could understand in two ways is none. */
import { canonicalJson, isPlanted, type Json, parseStrictJson } from '@stella/domain';
import type { GateAnswer, GateQuestion } from '../ports/gate.ts';

export const MESSAGE_LENGTH_MAX = 500;
export const NO_VERDICT = 'it has no "verdict" of "passed" or "failed"';

/** The bytes of an answer to the question → a verdict, that there is none yet, or the error that they are neither. */
export function parseAnswer(bytes: Uint8Array, question: GateQuestion): GateAnswer | 'pending' {
  try {
    const members = parseMembers(bytes, question);
    const { verdict, message } = members;
    if (verdict === 'pending') return 'pending';
    if (verdict !== 'passed' && verdict !== 'failed') throw badResponse(NO_VERDICT);
    const words =
      typeof message === 'string' ? message.slice(0, MESSAGE_LENGTH_MAX) : `the service answered ${verdict}`;
    return { outcome: verdict, message: words, output: inCanonicalForm(members) };
  } catch (cause) {
    if (cause instanceof BadResponse) return error('gate.bad_response', `the answer is no verdict: ${cause.message}`);
    throw cause;
  }
}

/** What a program has written may say why; its exit code says what. */
export function parseReport(bytes: Uint8Array, question: GateQuestion, verdict: 'passed' | 'failed'): GateAnswer {
  const text = new TextDecoder().decode(bytes).trim();
  try {
    if (!text.startsWith('{'))
      return { outcome: verdict, message: lastLineOf(text) || `it says ${verdict}`, output: '' };
    const members = parseMembers(bytes, question);
    const { message } = members;
    if (members['verdict'] !== undefined && members['verdict'] !== verdict) {
      throw badResponse(`its "verdict" is not what its exit code says (${verdict})`);
    }
    const words = typeof message === 'string' ? message.slice(0, MESSAGE_LENGTH_MAX) : `it says ${verdict}`;
    return { outcome: verdict, message: words, output: inCanonicalForm(members) };
  } catch (cause) {
    if (cause instanceof BadResponse) return error('gate.bad_response', `the output is no report: ${cause.message}`);
    throw cause;
  }
}

export function lastLineOf(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').slice(0, MESSAGE_LENGTH_MAX);
}

function parseMembers(bytes: Uint8Array, question: GateQuestion): Readonly<Record<string, Json>> {
  const value = parseStrictJson(bytes, badResponse);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badResponse('it is not a JSON object');
  // An object of unknown members, as just checked.
  const members = value as Readonly<Record<string, Json>>;
  refuseOtherQuestion(members, question);
  return members;
}

class BadResponse extends Error {}

function badResponse(message: string): BadResponse {
  return new BadResponse(message);
}

/** An answer may repeat members of its question; what it repeats must be the same, or it answers another question. */
function refuseOtherQuestion(members: Readonly<Record<string, Json>>, question: GateQuestion): void {
  // A question is a plain JSON value.
  for (const [name, asked] of Object.entries(question as unknown as Readonly<Record<string, Json>>)) {
    if (!Object.hasOwn(members, name) || isPlanted('gate.other_question_counts')) continue;
    if (inCanonicalForm(members[name] ?? null) !== canonicalJson(asked)) {
      throw badResponse(`its "${name}" is not that of the question`);
    }
  }
}

function inCanonicalForm(value: Json): string {
  try {
    return canonicalJson(value);
  } catch (cause) {
    if (cause instanceof RangeError) throw badResponse('it has a number that is too large');
    throw cause;
  }
}

export function error(code: string, message: string): GateAnswer {
  return { outcome: 'error', code, message };
}
