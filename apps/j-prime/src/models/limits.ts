// The limits of serving, in one place, with what each was chosen by.

/** Predictions of a kind that wait or run, each with its input in memory; what comes beyond is told to try again. */
export const PREDICTIONS_PER_KIND_MAX = 1024;

/** Of one run. ONNX Runtime gains little beyond it, and a padded batch grows with its longest input. */
export const BATCH_INPUTS_MAX = 32;
/** A lone request does not wait for company. */
export const BATCH_DELAY_MS = 0;
/** A run on the event loop holds up every other request; one in a thread only those that come after it. */
export const RUN_MS_MAX = { loop: 5, thread: 100 } as const;

/**
 * ONNX Runtime for Node runs on the thread that asks (`run` is a `setImmediate` around a blocking call), so a model on the
 * loop stops everything for so long. A message to a thread and back was measured at 0.015 to 0.06 ms: a model that costs
 * less than some tens of that gains nothing by moving.
 */
export const LOOP_COST_MS_MAX = 1;

/** The first predictions of a session pay for its lazy set-up; from the third on they cost the same. */
export const WARM_PREDICTIONS = 3;
export const MEASURED_PREDICTIONS = 5;
/** Enough to know that a model is slow; on the loop everybody waits for it. */
export const MEASURING_MS_MAX = 100;

/** Of a run in a thread: far beyond what a model of 30 MB takes, and within the patience of whoever asks. */
export const THREAD_RUN_MS_MAX = 10_000;
/** The heap of a thread; weights lie outside of it. */
export const THREAD_HEAP_MB_MAX = 256;
/** For the last run of a thread that is asked to end; then it is ended. */
export const THREAD_STOP_MS_MAX = 5_000;
/** A model that crashes more often is taken out of service. */
export const THREAD_RESTARTS = { restartsMax: 3, windowMs: 600_000 } as const;
