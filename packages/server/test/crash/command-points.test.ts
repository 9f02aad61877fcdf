/** A real server is killed at each fault point of what people ask; who asks again, with the same key, gets one effect. */
import { describeCrashes } from './crash-at.ts';
import {
  cancel,
  changeSettings,
  complete,
  enrol,
  freeze,
  overtake,
  raiseQuota,
  raiseFence,
  releaseByForce,
  removeEnvironments,
  skip,
} from './scenarios.ts';

describeCrashes({
  'while a promotion is asked for and approved': {
    scenario: complete,
    points: [
      'command_store.transact.before',
      'command_store.transact.after',
      'registry.resolve.before',
      'registry.resolve.after',
      'registry.readDocument.before',
      'registry.readDocument.after',
      'sql.idempotency_reserve',
      'sql.idempotency_store',
      'sql.environment_lock_all',
      'sql.definition_insert',
      'sql.environment_write',
      'sql.release_insert',
      'sql.release_components_insert',
      'sql.environment_lock_shared',
      'sql.promotion_insert',
      'sql.approvals_insert',
      'sql.promotion_update',
      'sql.events_insert',
    ],
  },
  'while a newer one overtakes': { scenario: overtake, points: ['sql.environment_wake_older'] },
  'while a fence is raised': {
    scenario: raiseFence,
    points: ['sql.fence_draw', 'sql.epoch_raise', 'sql.environment_fence', 'sql.environment_wake_all'],
  },
  'while a gate is skipped, and owed': {
    scenario: skip,
    points: [
      'sql.skips_write',
      'sql.debts_write',
      'sql.debts_due',
      'sql.debt_claim',
      'sql.debt_hasten',
      'sql.debt_lock',
      'sql.debt_write',
    ],
  },
  'while an environment is frozen': {
    scenario: freeze,
    points: ['sql.environment_freeze', 'sql.environment_wake_frozen'],
  },
  'while a quota is raised': { scenario: raiseQuota, points: ['sql.quota_requests_write'] },
  'while one is cancelled': { scenario: cancel, points: ['sql.promotion_update', 'command_store.transact.after'] },
  'while a lock is taken': {
    scenario: releaseByForce,
    points: ['command_store.transact.after', 'target.seal.before', 'target.seal.after'],
  },
  'while a setting is changed': {
    scenario: changeSettings,
    points: ['sql.setting_lock', 'sql.setting_write', 'sql.setting_wake', 'command_store.transact.after'],
  },
  'while somebody is enrolled': {
    scenario: enrol,
    points: [
      'sql.person_insert',
      'sql.bindings_insert',
      'sql.bindings_delete',
      'sql.enrolment_insert',
      'sql.enrolment_use',
      'sql.token_insert',
      'sql.token_revoke',
      'sql.automation_ensure',
    ],
  },
  'while environments are removed': {
    scenario: removeEnvironments,
    points: ['sql.environment_remove', 'sql.debts_close'],
  },
});
