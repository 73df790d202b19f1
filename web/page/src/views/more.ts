/** The views that are one file of their own, loaded when the chart stands. */

export { finish, renew } from "../provider.ts";
export { BookingPanel } from "./booking.tsx";
export { Calendars } from "./calendars.tsx";
export { ConflictPanel, Conflicts } from "./conflicts.tsx";
export { Messages } from "./messages.tsx";
export { NightPanel } from "./night.tsx";
export { Occupancy } from "./occupancy.tsx";
export { ProviderSignIn, SignInAgain } from "./provider.tsx";
export { RunPanel, Runs } from "./runs.tsx";
export { SetUp } from "./setup.tsx";
export { SourcePanel, Sources } from "./sources.tsx";
