/** Debian's Prometheus and Alertmanager, started for a test on loopback with what `ops/` ships, and a webhook that listens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort, findProgram, waitFor } from '@stella/testkit';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const QUERY_TIMEOUT_MS = 10_000;
/** Bytes of a program's log that an error shows. */
const LOG_LENGTH_MAX = 4_000;

export const PROGRAMS = ['prometheus', 'promtool', 'prometheus-alertmanager', 'amtool'] as const;

/** Those that `tools/install-system-deps.sh` has not installed. */
export function missingPrograms(): readonly string[] {
  return PROGRAMS.filter((program) => findProgram(program) === null);
}

/** As Alertmanager posts it. */
export interface Notified {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Monitoring {
  /** Every alert that reached the webhook, in order. */
  readonly notified: readonly Notified[];
  /** Instant query; the samples. Throws when Prometheus refuses it. */
  query(expression: string): Promise<readonly { readonly metric: Readonly<Record<string, string>> }[]>;
  stop(): Promise<void>;
}

export async function startMonitoring(order: {
  readonly rulesFile: string;
  /** `host:port` of servers to scrape. */
  readonly scraped: readonly string[];
}): Promise<Monitoring> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-monitoring-'));
  const stops: (() => Promise<void>)[] = [() => rm(directory, { recursive: true })];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    const webhook = await startWebhook();
    stops.push(webhook.stop);
    const alertmanager = await startAlertmanager(directory, webhook.url);
    stops.push(alertmanager.stop);
    const prometheus = await startPrometheus(directory, { ...order, alertmanager: alertmanager.address });
    stops.push(prometheus.stop);
    return { notified: webhook.notified, query: (expression) => query(prometheus.address, expression), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Running {
  readonly address: string;
  readonly stop: () => Promise<void>;
}

async function startPrometheus(
  directory: string,
  order: { readonly rulesFile: string; readonly scraped: readonly string[]; readonly alertmanager: string },
): Promise<Running> {
  const config = join(directory, 'prometheus.yml');
  // JSON is YAML.
  const document = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [order.rulesFile],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [order.alertmanager] }] }] },
    scrape_configs: [{ job_name: 'stella', static_configs: [{ targets: order.scraped }] }],
  };
  await writeFile(config, JSON.stringify(document));
  const port = await findFreePort();
  return startProgram('prometheus', port, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, 'prometheus')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
}

async function startAlertmanager(directory: string, webhookUrl: string): Promise<Running> {
  const config = join(directory, 'alertmanager.yml');
  const document = {
    route: { receiver: 'test', group_by: ['alertname'], group_wait: '1s', group_interval: '2s', repeat_interval: '1h' },
    receivers: [{ name: 'test', webhook_configs: [{ url: webhookUrl, send_resolved: true }] }],
  };
  await writeFile(config, JSON.stringify(document));
  const port = await findFreePort();
  return startProgram('prometheus-alertmanager', port, [
    `--config.file=${config}`,
    `--storage.path=${join(directory, 'alertmanager')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--cluster.listen-address=',
  ]);
}

async function startProgram(program: string, port: number, args: readonly string[]): Promise<Running> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log = `${log}${chunk}`.slice(-LOG_LENGTH_MAX);
  });
  const address = `127.0.0.1:${port}`;
  const isReady = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${log}`);
    const answer = await fetch(`http://${address}/-/ready`, { signal: AbortSignal.timeout(QUERY_TIMEOUT_MS) });
    return answer.ok;
  };
  const stop = (): Promise<void> => stopProgram(child, program);
  try {
    await waitFor(() => isReady().catch(() => false), { timeoutMs: START_TIMEOUT_MS, why: `${program} is ready` });
  } catch (error) {
    await stop();
    throw new Error(log, { cause: error });
  }
  return { address, stop };
}

async function stopProgram(child: ChildProcess, program: string): Promise<void> {
  child.kill('SIGTERM');
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  await waitFor(isOver, { timeoutMs: STOP_TIMEOUT_MS, why: `${program} ends` });
}

async function startWebhook(): Promise<{
  readonly url: string;
  readonly notified: Notified[];
  readonly stop: () => Promise<void>;
}> {
  const notified: Notified[] = [];
  const server: Server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      // The format of Alertmanager's webhook.
      const { alerts } = JSON.parse(text) as { readonly alerts: readonly Notified[] };
      notified.push(...alerts);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const { port } = server.address() as AddressInfo;
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}/`, notified, stop };
}

async function query(address: string, expression: string): ReturnType<Monitoring['query']> {
  const url = `http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`;
  const response = await fetch(url, { signal: AbortSignal.timeout(QUERY_TIMEOUT_MS) });
  // The format of the HTTP API of Prometheus.
  const answer = (await response.json()) as {
    readonly error?: string;
    readonly data?: { readonly result: readonly { readonly metric: Readonly<Record<string, string>> }[] };
  };
  if (!answer.data) throw new Error(`${expression}: ${answer.error}`);
  return answer.data.result;
}
