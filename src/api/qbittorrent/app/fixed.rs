//! Preferences that are always the same: what sower does not do, or does in one way.

use serde_json::{Value, json};

/// A value that does not change.
#[derive(Clone, Copy)]
pub(super) enum Fixed {
    Truth(bool),
    Number(i64),
    Text(&'static str),
}

impl Fixed {
    pub(super) fn json(self) -> Value {
        match self {
            Fixed::Truth(truth) => json!(truth),
            Fixed::Number(number) => json!(number),
            Fixed::Text(text) => json!(text),
        }
    }

    /// Whether it is `value`, however that spells numbers.
    #[expect(clippy::cast_precision_loss, reason = "all are small")]
    pub(super) fn is(self, value: &Value) -> bool {
        match self {
            Fixed::Number(number) => value.as_f64() == Some(number as f64),
            _ => self.json() == *value,
        }
    }
}

use Fixed::{Number, Text, Truth};

/// By name, grouped as qBittorrent shows them.
#[rustfmt::skip]
pub(super) const FIXED: &[(&str, Fixed)] = &[
    // how it looks, and its log
    ("locale", Text("en")), ("app_instance_name", Text("")), ("refresh_interval", Number(1_500)),
    ("performance_warning", Truth(false)), ("status_bar_external_ip", Truth(false)),
    ("confirm_torrent_deletion", Truth(true)), ("confirm_torrent_recheck", Truth(true)),
    ("delete_torrent_content_files", Truth(false)), ("file_log_enabled", Truth(false)), ("file_log_path", Text("")),
    // torrents that are added
    ("torrent_content_layout", Text("Original")), ("add_to_top_of_queue", Truth(false)), ("torrent_stop_condition", Text("None")),
    ("merge_trackers", Truth(true)), ("auto_delete_mode", Number(0)), ("preallocate_all", Truth(false)),
    ("incomplete_files_ext", Truth(false)), ("use_unwanted_folder", Truth(false)), ("excluded_file_names_enabled", Truth(false)),
    ("excluded_file_names", Text("")), ("export_dir", Text("")), ("export_dir_fin", Text("")),
    // categories
    ("auto_tmm_enabled", Truth(false)), ("torrent_changed_tmm_enabled", Truth(true)), ("save_path_changed_tmm_enabled", Truth(false)),
    ("category_changed_tmm_enabled", Truth(false)), ("use_subcategories", Truth(false)), ("use_category_paths_in_manual_mode", Truth(true)),
    // programs and mail: neither is run or sent
    ("autorun_enabled", Truth(false)), ("autorun_program", Text("")), ("autorun_on_torrent_added_enabled", Truth(false)),
    ("autorun_on_torrent_added_program", Text("")), ("mail_notification_enabled", Truth(false)),
    // connections
    ("random_port", Truth(false)), ("upnp", Truth(false)), ("max_uploads", Number(-1)), ("max_uploads_per_torrent", Number(-1)),
    ("ssl_enabled", Truth(false)), ("i2p_enabled", Truth(false)), ("proxy_type", Text("None")), ("proxy_ip", Text("")),
    ("proxy_port", Number(8080)), ("proxy_peer_connections", Truth(false)), ("proxy_auth_enabled", Truth(false)),
    ("bittorrent_protocol", Number(1)), ("limit_utp_rate", Truth(true)), ("limit_tcp_overhead", Truth(false)),
    ("limit_lan_peers", Truth(true)), ("enable_multi_connections_from_same_ip", Truth(true)), ("peer_tos", Number(0)),
    ("announce_to_all_trackers", Truth(false)), ("announce_to_all_tiers", Truth(true)), ("announce_ip", Text("")),
    ("validate_https_tracker_certificate", Truth(true)), ("ssrf_mitigation", Truth(true)),
    ("current_network_interface", Text("")), ("current_interface_name", Text("")), ("current_interface_address", Text("")),
    ("add_trackers_from_url_enabled", Truth(false)), ("add_trackers_url", Text("")), ("add_trackers_url_list", Text("")),
    // where peers come from
    ("dht", Truth(false)), ("pex", Truth(false)), ("lsd", Truth(false)), ("encryption", Number(2)), ("anonymous_mode", Truth(false)),
    ("ip_filter_path", Text("")), ("ip_filter_trackers", Truth(false)), ("banned_IPs", Text("")),
    ("enable_embedded_tracker", Truth(false)), ("resolve_peer_countries", Truth(false)),
    // the queue
    ("dont_count_slow_torrents", Truth(false)), ("slow_torrent_dl_rate_threshold", Number(2)),
    ("slow_torrent_ul_rate_threshold", Number(2)), ("slow_torrent_inactive_timer", Number(60)),
    ("recheck_completed_torrents", Truth(false)),
    // this API: who comes in is configured where no client can change it
    ("web_ui_username", Text("sower")), ("web_ui_upnp", Truth(false)), ("use_https", Truth(false)),
    ("bypass_local_auth", Truth(false)), ("bypass_auth_subnet_whitelist_enabled", Truth(false)), ("bypass_auth_subnet_whitelist", Text("")),
    ("alternative_webui_enabled", Truth(false)), ("alternative_webui_path", Text("")),
    ("web_ui_csrf_protection_enabled", Truth(true)), ("web_ui_host_header_validation_enabled", Truth(true)),
    ("web_ui_clickjacking_protection_enabled", Truth(true)), ("web_ui_secure_cookie_enabled", Truth(false)),
    ("web_ui_use_custom_http_headers_enabled", Truth(false)), ("web_ui_custom_http_headers", Text("")),
    ("web_ui_reverse_proxy_enabled", Truth(false)), ("dyndns_enabled", Truth(false)),
    // feeds
    ("rss_processing_enabled", Truth(false)), ("rss_auto_downloading_enabled", Truth(false)),
];
