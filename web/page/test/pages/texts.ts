/** Shows a page of a test in English, without the build. */

import { showTexts } from "../../src/texts.ts";
import chart from "../../texts/en/chart.json" with { type: "json" };

showTexts("en", Object.fromEntries(Object.entries(chart).map(([name, text]) => [`chart.${name}`, text])));
