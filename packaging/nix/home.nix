# `services.goroam.enable = true;` for home-manager: the repository's own unit, started from the
# store.
self:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.goroam;
in
{
  options.services.goroam = {
    enable = lib.mkEnableOption "goroam, which keeps go env right on every network";
    package = lib.mkOption {
      type = lib.types.package;
      default = self.packages.${pkgs.system}.default;
      description = "The goroam to run.";
    };
  };
  # Elsewhere: `goroam service install`.
  config = lib.mkIf (cfg.enable && pkgs.stdenv.isLinux) {
    home.packages = [ cfg.package ];
    xdg.configFile."systemd/user/goroam.service".text =
      builtins.replaceStrings [ "/usr/bin/goroam" ] [ "${cfg.package}/bin/goroam" ]
        (builtins.readFile ../../systemd/goroam.service);
    xdg.configFile."systemd/user/default.target.wants/goroam.service".source =
      config.lib.file.mkOutOfStoreSymlink "${config.xdg.configHome}/systemd/user/goroam.service";
  };
}
