// Command demo is a small real program that needs real modules, all of them public.
package main

import (
	"fmt"

	"github.com/BurntSushi/toml"
	"github.com/fatih/color"
	"github.com/google/uuid"
	"github.com/pkg/errors"
	"gopkg.in/yaml.v3"
)

func main() {
	var cfg struct{ Name string }
	if _, err := toml.Decode("name = \"goroam\"", &cfg); err != nil {
		fmt.Println(errors.Wrap(err, "toml"))
	}
	y, _ := yaml.Marshal(map[string]string{"id": uuid.NameSpaceDNS.String()})
	color.NoColor = true
	fmt.Print(color.GreenString("%s", cfg.Name), " ", string(y))
}
