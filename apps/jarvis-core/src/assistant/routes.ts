// The assistant's two calls: a command is understood by the model that J-Prime routes to; feedback becomes an
// experience and, while a rollout is under way, evidence, in one transaction.
import {
  CodedError,
  commandRequestSchema,
  commandResponseSchema,
  type Evidence,
  type Experience,
  feedbackRequestSchema,
  feedbackResponseSchema,
  predictResponseSchema,
} from '@jarvis/contracts';
import { type Clock, type HttpServer, isoOf, type Random, type ServiceClient } from '@jarvis/runtime';
import type { Database, Transaction } from '@jarvis/store';
import type { z } from 'zod';
import { isLabelled, storeBatch } from '../store/experiences.ts';
import {
  insertInteraction,
  type Interaction,
  judgeInteraction,
  queueEvidence,
} from '../store/interactions.ts';

export interface AssistantOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** null: J-Prime is switched off; feedback on what it answered before is still taken. */
  readonly prime: ServiceClient | null;
  readonly onEvidence: () => void;
}

export function addAssistantRoutes(server: HttpServer, options: AssistantOptions): void {
  server.post(
    '/api/command',
    {
      schema: {
        summary: 'Understand a command',
        body: commandRequestSchema,
        response: { 200: commandResponseSchema },
      },
    },
    (req) => command(options, req.body),
  );
  server.post(
    '/api/feedback',
    {
      schema: {
        summary: 'Say whether an answer was right, and what would have been',
        body: feedbackRequestSchema,
        response: { 200: feedbackResponseSchema },
      },
    },
    (req) => feedback(options, req.body),
  );
}

async function command(
  options: AssistantOptions,
  body: z.infer<typeof commandRequestSchema>,
): Promise<z.infer<typeof commandResponseSchema>> {
  const { db, clock, random, prime } = options;
  if (prime === null)
    throw new CodedError('service_unavailable', 'J-Prime is switched off (JARVIS_PRIME_ENABLED)');
  const interactionId = random.id('interaction');
  const request = { input: { text: body.text }, session_id: body.session_id ?? interactionId };
  const answer = await prime.post('/api/predict/nlu', request, predictResponseSchema, { repeatable: true });
  const interaction: Interaction = {
    interactionId,
    text: body.text,
    intent: intentOf(answer.output),
    confidence: answer.confidence,
    version: answer.version,
    arm: answer.arm,
    rollout: answer.rollout,
    answeredAtMs: clock.now(),
  };
  await db.transaction('core.interaction.insert', async (tx) => {
    await insertInteraction(tx, interaction);
    await keepWhatBroke(tx, interaction);
  });
  const { intent, confidence, version, arm } = interaction;
  return { interaction_id: interactionId, intent, confidence, version, arm };
}

/**
 * An input that a candidate failed becomes an experience, labelled by the stable version that answered in its place: the
 * next candidate learns from it, and is held against it before it meets anybody. What was said of this input before stays,
 * and what is said later counts more.
 */
async function keepWhatBroke(tx: Transaction, interaction: Interaction): Promise<void> {
  const { interactionId, rollout, intent, confidence, version, answeredAtMs } = interaction;
  const failed = rollout?.candidate_failed ?? null;
  if (rollout === null || failed === null) return;
  if (await isLabelled(tx, 'nlu', { text: interaction.text })) return;
  await storeBatch(tx, {
    batchId: `broke-${interactionId}`,
    source: 'rollout',
    nowMs: answeredAtMs,
    experiences: [
      {
        type: 'command',
        input: { text: interaction.text },
        expected_output: { intent },
        actual_output: null,
        success: false,
        confidence,
        metadata: {
          interaction_id: interactionId,
          deployment_id: rollout.deployment_id,
          version: failed,
          labelled_by: version,
        },
        timestamp: answeredAtMs / 1000,
      },
    ],
  });
}

function intentOf(output: Readonly<Record<string, unknown>>): string {
  const intent = output['intent'];
  if (typeof intent === 'string') return intent;
  throw new CodedError('service_unavailable', 'J-Prime answered an nlu prediction without an intent');
}

async function feedback(
  options: AssistantOptions,
  body: z.infer<typeof feedbackRequestSchema>,
): Promise<z.infer<typeof feedbackResponseSchema>> {
  const { db, clock } = options;
  const judgement = JSON.stringify({ correct: body.correct, expected: body.expected_output?.intent ?? null });
  const repeated = await db.transaction('core.interaction.judge', async (tx) => {
    const interaction = await judgeInteraction(tx, body.interaction_id, judgement);
    if (interaction === null) return true;
    const experience = experienceOf(interaction, body);
    await storeBatch(tx, {
      batchId: `feedback-${interaction.interactionId}`,
      source: 'feedback',
      experiences: [experience],
      nowMs: clock.now(),
    });
    for (const evidence of evidenceOf(interaction, body, clock.now()))
      await queueEvidence(tx, evidence, clock.now());
    return false;
  });
  options.onEvidence();
  return { interaction_id: body.interaction_id, stored: true, repeated };
}

function experienceOf(interaction: Interaction, body: z.infer<typeof feedbackRequestSchema>): Experience {
  const { intent, confidence, version, rollout, arm } = interaction;
  if (body.correct && body.expected_output !== undefined && body.expected_output.intent !== intent) {
    throw new CodedError(
      'invalid_request',
      `it cannot be correct and should have been ${body.expected_output.intent}: the answer was ${intent}`,
      {
        issues: [
          { path: 'body.expected_output.intent', message: 'differs from the answer that is called correct' },
        ],
      },
    );
  }
  const expected = body.correct ? { intent } : (body.expected_output ?? null);
  return {
    type: 'command',
    input: { text: interaction.text },
    expected_output: expected,
    actual_output: { intent },
    success: body.correct,
    confidence,
    metadata: {
      interaction_id: interaction.interactionId,
      version,
      ...(rollout === null ? {} : { deployment_id: rollout.deployment_id, arm }),
    },
    timestamp: interaction.answeredAtMs / 1000,
  };
}

/** A correction counts against who answered; what is said of an input that both versions were asked tells which is better. */
function evidenceOf(
  { interactionId, rollout, arm }: Interaction,
  { correct, expected_output: expected, asked }: z.infer<typeof feedbackRequestSchema>,
  nowMs: number,
): Evidence[] {
  if (rollout === null) return [];
  const { deployment_id, weight, session_hash, pair_id } = rollout;
  const fields = { deployment_id, arm, weight, session_hash, observed_at: isoOf(nowMs) };
  const evidence: Evidence[] = [];
  if (!correct) evidence.push({ ...fields, kind: 'corrected', evidence_id: `corrected-${interactionId}` });
  if (typeof pair_id === 'string') {
    const judged = { correct, expected_output: expected ?? null, asked, pair_id };
    evidence.push({ ...fields, ...judged, kind: 'judged', evidence_id: `judged-${interactionId}` });
  }
  return evidence;
}
