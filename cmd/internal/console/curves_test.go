package console

import (
	"io/fs"
	"testing"

	"liandong/cmd/internal/report"
	"liandong/routing/indicator"
)

// A curve has a point for each part, and none where nothing can be divided; shares are in percent.
func TestCurves(t *testing.T) {
	part := func(calls, answered, in15 int64) report.Part {
		sums := indicator.Sums{indicator.Calls: calls, indicator.CallsAnswered: answered, indicator.CallsIn15s: in15}
		return report.Part{Period: "2024-04-03T08", Rows: indicator.Of(sums, "calls")}
	}
	lines := []report.Line{{Hotline: "110", Parts: []report.Part{part(4, 4, 3), part(0, 0, 0)}},
		{Hotline: "12345", Parts: []report.Part{part(2, 2, 2), part(1, 1, 0)}}}
	all := curvesOf(lines, "en")
	if len(all) != len(drawn) || all[0].Title != "calls" || len(all[0].At) != 2 || len(all[0].Lines) != 2 {
		t.Fatalf("%+v", all)
	}
	calls, share := all[0].Lines, all[1].Lines
	if *calls[0].Values[0] != 4 || *calls[1].Values[1] != 1 || *calls[0].Values[1] != 0 {
		t.Errorf("calls %+v", calls)
	}
	if all[1].Unit != "%" || *share[0].Values[0] != 75 || share[0].Values[1] != nil || *share[1].Values[1] != 0 {
		t.Errorf("answered in 15 s: %+v", share)
	}
	if curvesOf(nil, "en") != nil {
		t.Error("curves of nothing")
	}
}

// All static files together stay under 200 KB, and those of others come with their licence.
func TestStaticFiles(t *testing.T) {
	size := int64(0)
	err := fs.WalkDir(static, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	})
	if err != nil || size > 200_000 {
		t.Errorf("%d bytes, %v", size, err)
	}
	if _, err := fs.Stat(static, "static/uplot/LICENSE"); err != nil {
		t.Error(err)
	}
}
