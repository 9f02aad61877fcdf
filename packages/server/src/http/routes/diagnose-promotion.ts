/** `GET /promotions/{promotion}/diagnosis` */
import { authorize } from '@stella/domain';
import { presentDiagnosis } from '../present/present-diagnosis.ts';
import type { RouteHandler } from '../route-handler.ts';

export const diagnosePromotion: RouteHandler<'diagnosePromotion'> = async (deps, { caller, parameters }) => {
  const id = await deps.reads.findPromotionId(parameters.promotion);
  const diagnosis = await deps.diagnoser.diagnose(id);
  authorize(caller, 'promotion.read', { environment: diagnosis.environment, name: `promotion ${id}` });
  return presentDiagnosis(diagnosis);
};
