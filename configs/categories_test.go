package configs

import (
	"slices"
	"strings"
	"testing"

	"liandong/routing/ticket"
)

// A category is a bare name or a group, here or in a file of its own, and the directory knows them all.
func TestCategories(t *testing.T) {
	c := load(t, "liandong.yaml", "categories.91.name=from the command line", "categories.92=bare")
	d := c.Directory()
	var from110, from12345 int
	for _, k := range d.Categories {
		switch {
		case k.Code < "09":
			from12345++
		case k.Code < "30":
			from110++
		}
		if k.Name == "" || k.Code < "30" && (k.Answer == "" || len(k.Keywords) == 0 || d.Hotlines[k.Owner] == nil) {
			t.Errorf("the sample has half a category: %+v", k)
		}
	}
	if from12345 != 8 || from110 != 19 { // as many kinds as Hebei's lists have
		t.Errorf("%d and %d kinds in the sample", from12345, from110)
	}
	for code, want := range map[string]string{"02": "危及人身财产安全的紧急求助", "90": "本单位内部事务", "91": "from the command line",
		"92": "bare"} {
		if k, _ := d.Categories.ByCode(code); k.Name != want {
			t.Errorf("%s: %+v", code, k)
		}
	}
	if k, _ := d.Categories.ByCode("02"); k.Urgency != ticket.Critical || k.Allows(ticket.TicketOnly) {
		t.Errorf("%+v", k)
	}
	if found := d.Categories.Find("噪音").Codes(); len(found) != 2 || !slices.Contains(found, "08") ||
		!slices.Contains(found, "19") {
		t.Errorf("噪音: %v", found)
	}
	if load(t, "lab.yaml").Known().Codes()[2] != "03" {
		t.Error("the lab's own")
	}
}

// With no key for categories any code will do: they come by HTTP then.
func TestCodesWithoutAKey(t *testing.T) {
	set := []string{"categories.7=x"}
	if _, err := Parse("lab.yaml", []byte(LabFile()), Options{Set: set}); err == nil {
		t.Error("no key dials 7, and nobody says so")
	}
	text := strings.Replace(LabFile(), `  "*8NN": category`+"\n", "", 1)
	if _, err := Parse("lab.yaml", []byte(text), Options{Set: set}); err != nil {
		t.Error(err)
	}
}
