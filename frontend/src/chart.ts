/** The chart of an entity's page: replaces the server's drawing by one that can be explored. */

import { ready } from "./i18n";
import { HistoryChart } from "./chart/history";
import { offerCopy } from "./chart/copy";
import "./chart/chart.css";

void ready().then(() => {
  for (const box of document.querySelectorAll<HTMLElement>("[data-chart]")) new HistoryChart(box);
  for (const row of document.querySelectorAll<HTMLElement>("[data-copy-from]")) offerCopy(row);
});
