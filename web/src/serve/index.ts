import { Page } from "./page.js";

void new Page().start();
