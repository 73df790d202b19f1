"""The page's paths, which anybody may read; beside ``/health`` and outgoing calendars, the only ones."""

PAGE_PATHS = ("/", "/assets/{file}", "/icons/{file}", "/manifest.webmanifest", "/page.json", "/worker.js")
