import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../texts/", import.meta.url);
type Text = string | { readonly [plural: string]: string };

const read = (language: string, file: string): { [name: string]: Text } =>
  JSON.parse(readFileSync(new URL(`${language}/${file}`, FOLDER), "utf8"));
const formsOf = (text: Text) => (typeof text === "string" ? [text] : Object.values(text));
const placeholdersOf = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

const languages = readdirSync(FOLDER);
const files = readdirSync(new URL("en/", FOLDER));

for (const language of languages)
  for (const file of files)
    test(`${language}/${file} says everything that English says, with the same values`, () => {
      const [english, texts] = [read("en", file), read(language, file)];
      assert.deepEqual(Object.keys(texts), Object.keys(english));
      for (const [name, text] of Object.entries(texts)) {
        const wanted = new Set(formsOf(english[name] ?? "").flatMap(placeholdersOf));
        assert.equal(typeof text, typeof english[name], name);
        assert.ok(
          formsOf(text).every((form) => form.trim()),
          name,
        );
        assert.deepEqual(new Set(formsOf(text).flatMap(placeholdersOf)), wanted, name);
        if (typeof text !== "string")
          assert.deepEqual(
            Object.keys(text).sort(),
            [...new Intl.PluralRules(language).resolvedOptions().pluralCategories].sort(),
            name,
          );
      }
    });

test("no language has a file that English lacks", () => {
  assert.ok(languages.length >= 3);
  for (const language of languages) assert.deepEqual(readdirSync(new URL(`${language}/`, FOLDER)), files);
});
