package header_test

import (
	"fmt"

	"liandong/sip/header"
)

// What a device writes loosely is read as it was meant, and written strictly.
func ExampleParseNameAddr() {
	n, err := header.ParseNameAddr(`"张 三" <sip:13812345678@192.0.2.1;user=phone> ; tag=ab12`)
	fmt.Println(n.Display, n.Tag(), err)
	// Output: 张 三 ab12 <nil>
}

func ExampleParseDiversions() {
	list, err := header.ParseDiversions(`<sip:110@192.0.2.1>;reason=deflection;counter=2, <sip:119@192.0.2.1>`)
	for _, d := range list {
		fmt.Println(d.Reason, d.Counter)
	}
	fmt.Println(len(list), err)
	// Output:
	// deflection 2
	//  0
	// 2 <nil>
}
