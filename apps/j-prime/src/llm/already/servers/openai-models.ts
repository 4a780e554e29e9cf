// `GET /v1/models`, which all of them have: names, and who says to own them.
import { z } from 'zod';

export const modelListSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      owned_by: z.string().optional(),
      /** llama-server: what the file of the model takes. */
      meta: z.object({ size: z.number().nonnegative().optional() }).nullish(),
    }),
  ),
});

export function namesOf(list: z.infer<typeof modelListSchema>): string[] {
  return list.data.map(({ id }) => id);
}
