package main

import (
	_ "github.com/Masterminds/semver/v3"
	_ "github.com/cespare/xxhash/v2"
	_ "github.com/davecgh/go-spew/spew"
	_ "github.com/fatih/color"
	_ "github.com/kr/pretty"
	_ "github.com/pkg/errors"
	_ "github.com/pmezard/go-difflib/difflib"
	_ "golang.org/x/xerrors"
	_ "golang.org/x/sync/errgroup"
	_ "gopkg.in/yaml.v3"
)

func main() {}
