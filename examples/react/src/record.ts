/** One record in a form: what the server has, with what was typed since. */

import type { Item, Save } from "bokit-client";
import { useBokit } from "bokit-client/react";

export interface RecordForm {
  /** The record's fields as they were typed, saved or not. */
  readonly values: Item;
  readonly isLoaded: boolean;
  /** The save that the server refused. */
  readonly refused: Save | undefined;
  /** Change a field, and save it soon. Other fields stay, also what another person changed in the meantime. */
  readonly edit: (field: string, value: string) => void;
  readonly retry: () => void;
  readonly discard: () => void;
}

export function useRecord(collection: string, id: string): RecordForm {
  const { store, collections, saves } = useBokit();
  const record = collections[collection]?.get(id);
  const refused = saves.find((save) => save.error && save.collection === collection && save.id === id);
  return {
    values: { ...record, ...refused?.data },
    isLoaded: collections[collection] !== undefined,
    refused,
    edit: (field, value) => store.queueSave(collection, id, { ...record, [field]: value }),
    retry: store.retrySaves,
    discard: () => refused && store.discardSave(refused),
  };
}
