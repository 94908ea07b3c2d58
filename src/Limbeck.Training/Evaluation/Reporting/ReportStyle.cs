namespace Limbeck.Training.Evaluation.Reporting;

/// <summary>The look of a report: one column that fits a phone, light or dark as the reader's system is.</summary>
internal static class ReportStyle
{
    /// <summary>The style sheet. It must do without less than, greater than and ampersand; see <see cref="HtmlWriter"/>.</summary>
    public const string Css = """

        :root {
          color-scheme: light dark;
          --paper: #fdfdfc; --panel: #f5f5f2; --ink: #1d2024; --muted: #5d646c; --rule: #dfe0dc;
          --c1: #1f62ad; --c2: #b4541a; --c3: #2c7a51; --c4: #7b4ba0; --good: #2c7a51; --bad: #b3372f;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #15171a; --panel: #1d2024; --ink: #e5e5e1; --muted: #9ba2aa; --rule: #31353b;
            --c1: #7db4f0; --c2: #eda36d; --c3: #76c79a; --c4: #c4a1e8; --good: #76c79a; --bad: #f0938a;
          }
        }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; overflow-wrap: anywhere; }
        h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; margin: 0 0 0.5rem; }
        h2 { font-size: 1.15rem; line-height: 1.3; font-weight: 650; margin: 0 0 0.75rem; }
        h3 { font-size: 0.95rem; font-weight: 600; margin: 1.25rem 0 0.5rem; }
        p { margin: 0 0 0.75rem; max-width: 46rem; }
        section { margin-top: 2.25rem; padding-top: 1.5rem; border-top: 1px solid var(--rule); }
        .muted, .note, figcaption, .meta { color: var(--muted); }
        .note, .meta { font-size: 0.875rem; }
        .meta { margin: 0; }
        .warning { border-left: 3px solid var(--c2); padding: 0.1rem 0 0.1rem 0.75rem; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 0.75rem; margin: 1.5rem 0 0; padding: 0; list-style: none; }
        .tiles li { background: var(--panel); border-radius: 0.5rem; padding: 0.75rem 0.9rem 0.8rem; }
        .tiles span { display: block; font-size: 0.8rem; line-height: 1.35; color: var(--muted); }
        .tiles strong { display: block; font-size: 1.6rem; line-height: 1.25; font-weight: 600; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; white-space: nowrap; }
        .scroll { overflow-x: auto; margin: 0 0 0.75rem; }
        table { border-collapse: collapse; width: 100%; font-size: 0.925rem; font-variant-numeric: tabular-nums; }
        th, td { padding: 0.4rem 0.6rem; text-align: right; border-bottom: 1px solid var(--rule); vertical-align: baseline; }
        th { font-weight: 600; overflow-wrap: normal; }
        thead th { color: var(--muted); font-weight: 500; font-size: 0.825rem; line-height: 1.3; vertical-align: bottom; }
        td { white-space: nowrap; overflow-wrap: normal; }
        th:first-child, td:first-child { text-align: left; padding-left: 0; }
        th:last-child, td:last-child { padding-right: 0; }
        tbody th { font-weight: 400; }
        tr.own th, tr.own td { font-weight: 650; }
        tr.part th { padding-left: 1rem; color: var(--muted); }
        td.wide { text-align: left; width: 40%; }
        td.break { white-space: normal; }
        tr.part th { white-space: nowrap; }
        pre span { display: inline-block; }
        tr.part td { color: var(--muted); }
        .fit { width: auto; }
        .bars { display: grid; grid-template-columns: max-content 1fr; align-items: center; gap: 0.3rem 0.9rem; margin: 0 0 1rem; font-size: 0.85rem; color: var(--muted); }
        .bars div { display: flex; height: 0.8rem; }
        .bars i { display: block; height: 100%; margin-right: 1px; }
        .bars i:last-child { margin-right: 0; border-radius: 0 2px 2px 0; }
        .k1 { background: var(--c1); } .k2 { background: var(--c2); } .k3 { background: var(--c3); } .k4 { background: var(--c4); }
        .key { display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 2px; margin-right: 0.4rem; vertical-align: baseline; }
        .track { display: flex; align-items: center; justify-content: flex-end; gap: 0.6rem; }
        .track i { display: block; flex: 0 1 9rem; height: 0.45rem; background: var(--rule); border-radius: 2px; }
        .track b { display: block; height: 100%; background: var(--c1); border-radius: 2px; }
        .interval { display: block; width: 100%; height: 1.1rem; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1.25rem 2rem; }
        figure { margin: 0; min-width: 0; }
        figure svg { display: block; width: 100%; height: auto; }
        figcaption { font-size: 0.85rem; line-height: 1.45; margin-top: 0.25rem; }
        figure h3 { margin: 0 0 0.35rem; }
        svg text { fill: var(--muted); font-size: 11px; font-family: inherit; font-variant-numeric: tabular-nums; }
        svg .grid { stroke: var(--rule); stroke-width: 1; }
        svg .axis { stroke: var(--muted); stroke-width: 1; }
        svg .s1 { stroke: var(--c1); } svg .s2 { stroke: var(--c2); } svg .s3 { stroke: var(--c3); } svg .s4 { stroke: var(--c4); }
        svg .curve { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
        svg .s2.curve { stroke-dasharray: 7 3; } svg .s3.curve { stroke-dasharray: 2 3.5; } svg .s4.curve { stroke-dasharray: 9 3 2 3; }
        svg .f1 { fill: var(--c1); } svg .f2 { fill: var(--c2); } svg .f3 { fill: var(--c3); } svg .f4 { fill: var(--c4); }
        .legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; margin: 0; padding: 0; list-style: none; }
        .legend svg { display: inline-block; width: 1.6rem; height: 0.6rem; margin-right: 0.35rem; vertical-align: middle; }
        .examples { list-style: none; margin: 0; padding: 0; }
        .examples li { padding: 0.8rem 0; border-bottom: 1px solid var(--rule); }
        .examples q { display: block; quotes: none; unicode-bidi: isolate; max-width: 46rem; }
        .examples q + q { margin-top: 0.3rem; padding-left: 0.8rem; border-left: 2px solid var(--rule); }
        .answers { display: flex; flex-wrap: wrap; gap: 0.1rem 1.25rem; margin: 0.4rem 0 0; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
        .answers div { display: flex; gap: 0.4rem; }
        .answers dt { color: var(--muted); white-space: nowrap; } .answers dd { margin: 0; }
        .right { color: var(--good); } .wrong { color: var(--bad); }
        pre { margin: 0 0 0.75rem; padding: 0.75rem 0.9rem; background: var(--panel); border-radius: 0.5rem; font: 0.85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
        .facts { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.25rem 1.25rem; margin: 0 0 1rem; font-size: 0.925rem; }
        .facts dt { color: var(--muted); } .facts dd { margin: 0; }
        details { margin: 0 0 0.75rem; } summary { cursor: pointer; color: var(--c1); font-size: 0.925rem; padding: 0.25rem 0; }
        footer { margin-top: 2.5rem; color: var(--muted); font-size: 0.825rem; }
        @media (max-width: 34rem) {
          main { padding: 1.5rem 1rem 2.5rem; }
          h1 { font-size: 1.4rem; }
          .tiles { grid-template-columns: 1fr 1fr; gap: 0.5rem; }
          .tiles strong { font-size: 1.35rem; }
          table { font-size: 0.85rem; } thead th { font-size: 0.775rem; }
          th, td { padding: 0.35rem 0.35rem; }
          .wide, .track i { display: none; } td:nth-last-child(2):has(+ .wide), th:nth-last-child(2):has(+ .wide) { padding-right: 0; }
          tr.part th { padding-left: 0.4rem; } .key { margin-right: 0.3rem; }
          pre { font-size: 0.78rem; }
          .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: 0.5rem; }
        }
        @media print { section { break-inside: avoid; } }

        """;
}
