/** The shapes of every route: query, body, answer. Parsed and serialised by the server, typed for the client. */
import { z } from 'zod';
import type { RouteName } from './routes.ts';
import { callbackAnswerSchema, callbackSchema } from './schemas/callbacks.ts';
import {
  artifactDetailQuerySchema,
  artifactDetailSchema,
  deployArtifactSchema,
  deploymentListSchema,
  deploymentQuerySchema,
  environmentStatusSchema,
  startRollbackSchema,
} from './schemas/deployments.ts';
import { diagnosisSchema } from './schemas/diagnosis.ts';
import { doctorAnswerSchema, doctorQuerySchema } from './schemas/doctor.ts';
import {
  applyAnswerSchema,
  applyRequestSchema,
  artifactListSchema,
  artifactQuerySchema,
  environmentDetailSchema,
  environmentListSchema,
  freezeChangeSchema,
  freezeSchema,
  unfreezeSchema,
} from './schemas/environments.ts';
import {
  createPersonSchema,
  loginSchema,
  mintTokenSchema,
  personCreatedSchema,
  recoverSchema,
  revokeTokenSchema,
  tokenMintedSchema,
  tokenPageSchema,
  tokenRevokedSchema,
  whoamiSchema,
} from './schemas/identity.ts';
import {
  lockListSchema,
  lockQuerySchema,
  orchestratorSchema,
  raiseFenceAnswerSchema,
  raiseFenceSchema,
  releaseLockAnswerSchema,
  releaseLockSchema,
  versionSchema,
} from './schemas/orchestrator.ts';
import {
  createPromotionSchema,
  decideApprovalSchema,
  eventListSchema,
  eventSchema,
  gateRunListSchema,
  gateRunQuerySchema,
  changePrioritySchema,
  promotionCommandSchema,
  promotionActorsSchema,
  promotionCountSchema,
  promotionDetailSchema,
  promotionFilterSchema,
  promotionListQuerySchema,
  promotionPageSchema,
  skipGateSchema,
  streamQuerySchema,
  traceQuerySchema,
} from './schemas/promotions.ts';
import {
  credentialListSchema,
  gateServiceListSchema,
  gateStatsListSchema,
  gateStatsQuerySchema,
  probeListSchema,
  probeQuerySchema,
  probeRequestSchema,
  promotionLogQuerySchema,
  promotionLogSchema,
} from './schemas/probes.ts';
import {
  changeQuotasSchema,
  quotaListSchema,
  quotaQuerySchema,
  quotaRequestedSchema,
  quotasChangedSchema,
  requestQuotaSchema,
} from './schemas/quotas.ts';
import {
  channelListSchema,
  channelTestAnswerSchema,
  channelTestSchema,
  deliveryListSchema,
  deliveryQuerySchema,
  retryDeliveryAnswerSchema,
  retryDeliverySchema,
} from './schemas/notifications.ts';
import { registryListSchema } from './schemas/registries.ts';
import { createReleaseSchema, releasePageSchema, releaseSchema } from './schemas/releases.ts';
import {
  changedSettingSchema,
  changeSettingSchema,
  settingChangePageSchema,
  settingDetailSchema,
  settingListSchema,
} from './schemas/settings.ts';
import { pageQuerySchema } from './schemas/values.ts';

const none = z.strictObject({});

export interface RouteSchema {
  readonly query: z.ZodType;
  /** Null: the route takes no body. */
  readonly body: z.ZodType | null;
  readonly answer: z.ZodType;
}

export const ROUTE_SCHEMAS = {
  getVersion: { query: none, body: null, answer: versionSchema },
  getApiDescription: { query: none, body: null, answer: z.record(z.string(), z.unknown()) },
  getOrchestrator: { query: none, body: null, answer: orchestratorSchema },
  runDoctor: { query: doctorQuerySchema, body: null, answer: doctorAnswerSchema },
  probeConnectivity: { query: none, body: probeRequestSchema, answer: probeListSchema },
  listProbes: { query: probeQuerySchema, body: null, answer: probeListSchema },
  getGateStats: { query: gateStatsQuerySchema, body: null, answer: gateStatsListSchema },
  listGateServices: { query: gateStatsQuerySchema, body: null, answer: gateServiceListSchema },
  getPromotionLog: { query: promotionLogQuerySchema, body: null, answer: promotionLogSchema },
  verifyCredentials: { query: none, body: none, answer: credentialListSchema },
  listEnvironments: { query: none, body: null, answer: environmentListSchema },
  getEnvironment: { query: none, body: null, answer: environmentDetailSchema },
  listArtifacts: { query: artifactQuerySchema, body: null, answer: artifactListSchema },
  applyDefinitions: { query: none, body: applyRequestSchema, answer: applyAnswerSchema },
  createRelease: { query: none, body: createReleaseSchema, answer: releaseSchema },
  listReleases: { query: pageQuerySchema, body: null, answer: releasePageSchema },
  getRelease: { query: none, body: null, answer: releaseSchema },
  createPromotion: { query: none, body: createPromotionSchema, answer: promotionDetailSchema },
  startRollback: { query: none, body: startRollbackSchema, answer: promotionDetailSchema },
  deployArtifact: { query: none, body: deployArtifactSchema, answer: promotionDetailSchema },
  getArtifact: { query: artifactDetailQuerySchema, body: null, answer: artifactDetailSchema },
  getEnvironmentStatus: { query: none, body: null, answer: environmentStatusSchema },
  listDeployments: { query: deploymentQuerySchema, body: null, answer: deploymentListSchema },
  listPromotions: { query: promotionListQuerySchema, body: null, answer: promotionPageSchema },
  countPromotions: { query: promotionFilterSchema, body: null, answer: promotionCountSchema },
  countPromotionActors: { query: promotionFilterSchema, body: null, answer: promotionActorsSchema },
  getPromotion: { query: none, body: null, answer: promotionDetailSchema },
  diagnosePromotion: { query: none, body: null, answer: diagnosisSchema },
  listGateRuns: { query: gateRunQuerySchema, body: null, answer: gateRunListSchema },
  tracePromotion: { query: traceQuerySchema, body: null, answer: eventListSchema },
  approvePromotion: { query: none, body: decideApprovalSchema, answer: promotionDetailSchema },
  rejectPromotion: { query: none, body: decideApprovalSchema, answer: promotionDetailSchema },
  skipGate: { query: none, body: skipGateSchema, answer: promotionDetailSchema },
  cancelPromotion: { query: none, body: promotionCommandSchema, answer: promotionDetailSchema },
  changePriority: { query: none, body: changePrioritySchema, answer: promotionDetailSchema },
  retryPromotion: { query: none, body: promotionCommandSchema, answer: promotionDetailSchema },
  takeCallback: { query: none, body: callbackSchema, answer: callbackAnswerSchema },
  streamEvents: { query: streamQuerySchema, body: null, answer: eventSchema },
  listLocks: { query: lockQuerySchema, body: null, answer: lockListSchema },
  releaseLock: { query: none, body: releaseLockSchema, answer: releaseLockAnswerSchema },
  freezeEnvironment: { query: none, body: freezeSchema, answer: freezeChangeSchema },
  unfreezeEnvironment: { query: none, body: unfreezeSchema, answer: freezeChangeSchema },
  listQuotas: { query: quotaQuerySchema, body: null, answer: quotaListSchema },
  changeQuotas: { query: none, body: changeQuotasSchema, answer: quotasChangedSchema },
  requestQuota: { query: none, body: requestQuotaSchema, answer: quotaRequestedSchema },
  raiseFence: { query: none, body: raiseFenceSchema, answer: raiseFenceAnswerSchema },
  listChannels: { query: none, body: null, answer: channelListSchema },
  testChannel: { query: none, body: channelTestSchema, answer: channelTestAnswerSchema },
  listDeliveries: { query: deliveryQuerySchema, body: null, answer: deliveryListSchema },
  retryDelivery: { query: none, body: retryDeliverySchema, answer: retryDeliveryAnswerSchema },
  listRegistries: { query: none, body: null, answer: registryListSchema },
  listSettings: { query: none, body: null, answer: settingListSchema },
  getSetting: { query: none, body: null, answer: settingDetailSchema },
  changeSetting: { query: none, body: changeSettingSchema, answer: changedSettingSchema },
  listSettingChanges: { query: pageQuerySchema, body: null, answer: settingChangePageSchema },
  createPerson: { query: none, body: createPersonSchema, answer: personCreatedSchema },
  mintToken: { query: none, body: mintTokenSchema, answer: tokenMintedSchema },
  listTokens: { query: pageQuerySchema, body: null, answer: tokenPageSchema },
  revokeToken: { query: none, body: revokeTokenSchema, answer: tokenRevokedSchema },
  login: { query: none, body: loginSchema, answer: tokenMintedSchema },
  recover: { query: none, body: recoverSchema, answer: tokenMintedSchema },
  whoami: { query: none, body: null, answer: whoamiSchema },
} as const satisfies Record<RouteName, RouteSchema>;

type Schemas<Name extends RouteName> = (typeof ROUTE_SCHEMAS)[Name];

/** What a caller may send. */
export type QueryInput<Name extends RouteName> = z.input<Schemas<Name>['query']>;
export type BodyInput<Name extends RouteName> = Schemas<Name>['body'] extends z.ZodType
  ? z.input<Schemas<Name>['body']>
  : undefined;
/** What the server works with, defaults filled in. */
export type Query<Name extends RouteName> = z.output<Schemas<Name>['query']>;
export type Body<Name extends RouteName> = Schemas<Name>['body'] extends z.ZodType
  ? z.output<Schemas<Name>['body']>
  : null;
export type Answer<Name extends RouteName> = z.output<Schemas<Name>['answer']>;
