{
  description = "Keeps `go env` right on whatever network the machine is on";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
        "x86_64-darwin"
      ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        goroam = pkgs.callPackage ./package.nix { };
        default = goroam;
      });
      homeManagerModules.default = import ./home.nix self;
    };
}
