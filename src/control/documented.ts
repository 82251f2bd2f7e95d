// Parts of the description of the control port that several routes write out themselves.

import type { TSchema } from '@sinclair/typebox'
import type { OpenAPIV3 } from 'openapi-types'
import { ERRORS, ErrorBody, type ErrorCode } from '../core/errors.ts'

/** A TypeBox schema is a JSON Schema; the types of OpenAPI just do not say so. */
export function documented(schema: TSchema): OpenAPIV3.SchemaObject {
  return schema as OpenAPIV3.SchemaObject
}

/** The responses of errors, by their status. */
export function failures(...codes: readonly ErrorCode[]): Record<string, OpenAPIV3.ResponseObject> {
  const byStatus = Map.groupBy(codes, (code) => String(ERRORS[code].status))
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      {
        description: of.join(', '),
        content: { 'application/json': { schema: documented(ErrorBody) } },
      },
    ]),
  )
}
