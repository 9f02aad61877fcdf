/** One target as the YAML that `apply` takes, with every value in force. */
import {
  type ComposeTargetDefinition,
  type ContainerHealthCheck,
  type DockerTargetDefinition,
  formatDuration,
  formatPublishedPort,
  formatVolumeMount,
  type HealthCheck,
  type TargetDefinition,
} from '@stella/domain';

/** The inverse of `readTarget`. */
export function targetForm(target: TargetDefinition): object {
  const { name, kind } = target;
  const health = target.health ? { health: healthForm(target.health) } : {};
  switch (target.kind) {
    case 'files':
      return {
        name,
        kind,
        component: target.component,
        ...(target.host && { host: target.host }),
        directory: target.directory,
        keep: target.keepCount,
        ...health,
      };
    case 'command': {
      const { component, host, deploy, rollback, observe, stateDirectory } = target;
      return {
        name,
        kind,
        component,
        ...(host && { host }),
        deploy,
        ...(rollback && { rollback }),
        observe,
        ...(stateDirectory !== undefined && { stateDirectory }),
        ...health,
      };
    }
    case 'docker':
      return { name, kind, component: target.component, ...dockerForm(target), ...health };
    case 'compose':
      return { name, kind, ...composeForm(target), ...health };
  }
}

function dockerForm(target: DockerTargetDefinition): object {
  const { host, stateDirectory, container, socket, command, env, secretEnv, network, restart, order } = target;
  return {
    ...(host && { host }),
    ...(stateDirectory !== undefined && { stateDirectory }),
    container,
    ...(socket !== null && { socket }),
    ...(command && { command }),
    ...(Object.keys(env).length > 0 && { env }),
    ...(Object.keys(secretEnv).length > 0 && { secretEnv }),
    ...(target.ports.length > 0 && { ports: target.ports.map(formatPublishedPort) }),
    ...(target.volumes.length > 0 && { volumes: target.volumes.map(formatVolumeMount) }),
    ...(network !== null && { network }),
    restart,
    stopTimeout: formatDuration(target.stopTimeoutMs),
    order,
  };
}

function composeForm(target: ComposeTargetDefinition): object {
  const { host, stateDirectory, components, project, socket, compose, secretEnv } = target;
  return {
    ...(host && { host }),
    ...(stateDirectory !== undefined && { stateDirectory }),
    components,
    project,
    ...(socket !== null && { socket }),
    compose,
    ...(secretEnv && { secretEnv }),
  };
}

function healthForm(health: HealthCheck | ContainerHealthCheck): object {
  if (health.kind === 'container') {
    const { kind, intervalMs, deadlineMs } = health;
    return { kind, interval: formatDuration(intervalMs), deadline: formatDuration(deadlineMs) };
  }
  const { timeoutMs, intervalMs, threshold, deadlineMs } = health;
  return {
    ...askedForm(health),
    timeout: formatDuration(timeoutMs),
    interval: formatDuration(intervalMs),
    threshold,
    deadline: formatDuration(deadlineMs),
  };
}

function askedForm(health: HealthCheck): object {
  const { kind } = health;
  if (kind === undefined) return { url: health.url, expectStatus: health.expectStatus };
  if (kind === 'tcp') return { kind, address: health.address, port: health.port };
  return { kind, command: health.command };
}
