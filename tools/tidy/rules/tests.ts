/** How tests are written: no mock framework, no sleep, nothing left switched off, something asserted, known places. */
import type { CallExpression, Node } from 'oxc-parser';
import type { ParsedSource } from '../../code/parse-source.ts';
import { isTest } from '../../code/source-tree.ts';
import { isFunction, walk } from '../../code/walk.ts';
import { makeFileRule } from '../rule.ts';

const KINDS = ['contract', 'integration', 'crash', 'exhaustive', 'simulation', 'transcripts'];

type Report = (at: number, message: string, remedy: string) => void;

export const tests = makeFileRule('tests', (source, report) => {
  if (!isTest(source.path)) return;
  const kind = /^packages\/[^/]+\/test\/([^/]+)/.exec(source.path)?.[1];
  if (kind !== undefined && !KINDS.includes(kind)) {
    report(0, `no test runner looks into test/${kind}`, `put it into test/${KINDS.join(', test/')}`);
  }
  walk(source.program, (node) => {
    if (node.type === 'CallExpression') checkCall(source, node, report);
  });
});

function checkCall(source: ParsedSource, node: CallExpression, report: Report): void {
  const callee = source.text.slice(node.callee.start, node.callee.end);
  if (/^vi\.(fn|mock|spyOn|stub\w+|hoisted|doMock)$/.test(callee)) {
    report(
      node.start,
      `${callee} replaces code by a script`,
      'use the fake beside the port; it passes the contract suite',
    );
  }
  if (/^(vi\.useFakeTimers|vi\.setSystemTime)$/.test(callee)) {
    report(node.start, `${callee} changes the real clock`, 'pass in the virtual clock');
  }
  if (/^(it|test|describe)\.only$/.test(callee)) report(node.start, 'other tests are switched off', 'remove .only');
  if (/^(it|test|describe)\.(todo|fails)$/.test(callee))
    report(node.start, `${callee} tests nothing`, 'write the test');
  if (/^(it|test|describe)\.skip$/.test(callee)) checkSkip(node, report);
  if (/^(it|test)(\.each\b.*|\.skipIf\b.*|\.runIf\b.*|\.concurrent)?$/s.test(callee)) checkAssertion(node, report);
  if (isSleep(callee, node)) report(node.start, 'a test sleeps', 'use waitFor(condition, { timeoutMs, why })');
  if (/^(fc\.)?(property|asyncProperty)$/.test(callee)) checkProperty(node, report);
}

function checkSkip(node: CallExpression, report: Report): void {
  const [title] = node.arguments;
  const isNamed =
    title?.type === 'Literal' && /missing component|needs (root|an ordinary user)/.test(String(title.value));
  if (!isNamed) {
    report(node.start, 'a skip without its cause', 'title it "missing component: …", "needs root: …", or run it');
  }
}

/** `new Promise((resolve) => setTimeout(resolve, 100))`, under whichever name. */
function isSleep(callee: string, node: CallExpression): boolean {
  if (callee === 'sleep' || callee === 'delay') return true;
  const [first] = node.arguments;
  return callee === 'setTimeout' && first?.type === 'Identifier' && /^(resolve|r|done|ok)$/.test(first.name);
}

/** A test without an assertion passes whatever the code does. Calls of check functions count by their name. */
function checkAssertion(node: CallExpression, report: Report): void {
  const body = node.arguments.find(isFunction);
  if (body === undefined) return;
  let isAsserting = false;
  walk(body, (inner) => {
    if (inner.type !== 'CallExpression') return;
    isAsserting ||= /^(expect|assert|check|verify|waitFor|fail)/.test(lastName(inner.callee));
  });
  if (!isAsserting) report(node.start, 'a test that asserts nothing', 'expect something that can fail');
}

/** `assert` of `fc.assert`, `expect` of `expect(x).not.toBe`. */
function lastName(node: Node): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type !== 'MemberExpression' || node.property.type !== 'Identifier') return '';
  return node.property.name;
}

/** A property that returns the matcher's result fails in fast-check; braces make it return nothing. */
function checkProperty(node: CallExpression, report: Report): void {
  const body = node.arguments.at(-1);
  if (body?.type !== 'ArrowFunctionExpression' || body.body.type !== 'CallExpression') return;
  let root: Node = body.body;
  while (root.type === 'CallExpression' || root.type === 'MemberExpression') {
    root = root.type === 'CallExpression' ? root.callee : root.object;
  }
  if (root.type === 'Identifier' && root.name === 'expect') {
    report(body.start, 'a property returns what a matcher returns', 'put the body into braces');
  }
}
