// Where the page begins.

import { render } from "preact";
import { App } from "./app.tsx";
import { fetchFacts } from "./state/facts.ts";
import { refresh } from "./state/readings.ts";
import { apply } from "./state/theme.ts";
import "./styles/index.css";

apply();
const place = document.getElementById("page");
if (place) render(<App />, place);
void fetchFacts();
void refresh();
